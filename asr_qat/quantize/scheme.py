"""The tfmot scheme: no graph rewriting, and a registry that goes by layer name."""

import re

import tensorflow_model_optimization as tfmot
from tensorflow_model_optimization.python.core.quantization.keras import (
    quantize_registry,
    quantize_scheme,
)

from asr_qat.layers.dense import Dense
from asr_qat.layers.embedding import Embedding
from asr_qat.layers.joint import Joint
from asr_qat.layers.lstm import LSTM
from asr_qat.quantize.configs import DenseQuantizeConfig
from asr_qat.quantize.precision import Precision, parse


class PrecisionRegistry(quantize_registry.QuantizeRegistry):
    """The quantize config of each layer.

    Args:
        precision: name of the precision of every Dense layer.
        overrides: precision names by regular expression, searched in the layer's name; the
            first that fits decides.
        native: integer products, or fake quantization.
        start_step: training steps before the quantization begins.
    """

    def __init__(self, precision: str, overrides: dict[str, str], native: bool, start_step: int):
        self._default = parse(precision)
        self._overrides = [(re.compile(p), parse(name)) for p, name in overrides.items()]
        self._native = native
        self._start_step = start_step

    def precision(self, name: str) -> Precision | None:
        """The precision of the layer called `name`, None for float."""
        for pattern, precision in self._overrides:
            if pattern.search(name):
                return precision
        return self._default

    def supports(self, layer):
        """Whether `layer` is to be quantized."""
        return isinstance(layer, Dense) and self.precision(layer.name) is not None

    def get_quantize_config(self, layer):
        """The config of a supported layer."""
        precision = self.precision(layer.name)
        assert precision is not None
        return DenseQuantizeConfig(
            precision.weight_bits, precision.activation_bits, self._native, self._start_step
        )


class KeepLayout:
    """A layout transform that changes nothing: the device runs the graph as it is."""

    def apply(self, model, layer_quantize_map):
        """Return both as they came."""
        return model, layer_quantize_map


class PrecisionScheme(quantize_scheme.QuantizeScheme):
    """Precisions by layer name for `tfmot.quantization.keras.quantize_apply`."""

    def __init__(self, registry: PrecisionRegistry):
        self._registry = registry

    def get_layout_transformer(self):
        """No transformation."""
        return KeepLayout()

    def get_quantize_registry(self):
        """The registry by name."""
        return self._registry


def quantize_scope():
    """The scope in which quantized models are cloned and loaded."""
    return tfmot.quantization.keras.quantize_scope(
        {
            "Dense": Dense,
            "Embedding": Embedding,
            "LSTM": LSTM,
            "Joint": Joint,
            "DenseQuantizeConfig": DenseQuantizeConfig,
        }
    )
