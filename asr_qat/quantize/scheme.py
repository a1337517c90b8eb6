"""The tfmot scheme: no graph rewriting, and a registry that goes by layer name."""

import contextlib
import dataclasses
import re
from collections.abc import Iterator
from typing import Any

import tensorflow_model_optimization as tfmot
from tensorflow import keras

from asr_qat.compat import QuantizeRegistry, QuantizeScheme
from asr_qat.quantize.configs import DenseQuantizeConfig, RowsQuantizeConfig
from asr_qat.quantize.dense import QUANTIZED_LAYERS, Dense
from asr_qat.quantize.precision import Precision, Range, parse
from asr_qat.quantize.rows import RowEmbedding
from asr_qat.quantize.wrapper import QuantizeWrapperV2


class PrecisionRegistry(QuantizeRegistry):
    """The quantize config of each layer.

    Args:
        precision: name of the precision of every Dense layer.
        overrides: precision names by regular expression, searched in the layer's name; the
            first match wins.
        more: arguments of `KernelQuantizer` for all layers.
    """

    def __init__(self, precision: str, overrides: dict[str, str], **more: Any):
        self._default = parse(precision)
        self._overrides = [(re.compile(p), parse(name)) for p, name in overrides.items()]
        self._more = more

    def precision(self, name: str) -> Precision | None:
        """The precision by the layer's name, None for float."""
        for pattern, precision in self._overrides:
            if pattern.search(name):
                return precision
        return self._default

    def of(self, layer: keras.layers.Layer) -> Precision | None:
        """The precision of a layer that has weights already, None for float.

        Blocks that do not divide its inputs are replaced by a scale for each channel. A product
        inside of a recurrence or of a joint network has dynamic activations and no offset, and
        is clipped where a scale would be learned.
        """
        product = isinstance(layer, tuple(QUANTIZED_LAYERS.values()))
        found = self.precision(layer.name) if product else None
        if found is not None and not isinstance(layer, Dense):
            return layer.executed(found)
        if found is not None and found.block and layer.kernel.shape[0] % found.block:
            found = dataclasses.replace(found, block=None)
        if found is None or type(layer) is Dense:
            return found
        searched: Range = "clip" if found.range == "learned" else found.range
        return dataclasses.replace(found, static=False, asymmetric=False, range=searched)

    def supports(self, layer: keras.layers.Layer) -> bool:
        """Whether `layer` is to be quantized."""
        return self.of(layer) is not None

    def get_quantize_config(self, layer: keras.layers.Layer, **more: Any) -> DenseQuantizeConfig:
        """The config of a supported layer, `more` arguments of its `KernelQuantizer` in it."""
        precision = self.of(layer)
        assert precision is not None
        config = RowsQuantizeConfig if isinstance(layer, RowEmbedding) else DenseQuantizeConfig
        return config(precision, **{**self._more, **more})

    def precisions(self) -> list[Precision]:
        """All that a layer may have, but for float."""
        found = [self._default, *(precision for _, precision in self._overrides)]
        return [precision for precision in found if precision is not None]


class KeepLayout:
    """A layout transform that changes nothing: the device runs the graph as it is."""

    def apply(self, model: Any, layer_quantize_map: Any) -> tuple[Any, Any]:
        """Return both as they came."""
        return model, layer_quantize_map


class PrecisionScheme(QuantizeScheme):
    """Precisions by layer name for `tfmot.quantization.keras.quantize_apply`."""

    def __init__(self, registry: PrecisionRegistry):
        self._registry = registry

    def get_layout_transformer(self) -> KeepLayout:
        """No transformation."""
        return KeepLayout()

    def get_quantize_registry(self) -> PrecisionRegistry:
        """The registry by name."""
        return self._registry


@contextlib.contextmanager
def quantize_scope() -> Iterator[None]:
    """The scope in which quantized models are cloned and loaded, those of tfmot's functions too."""
    ours = {
        **QUANTIZED_LAYERS,
        "DenseQuantizeConfig": DenseQuantizeConfig,
        "RowsQuantizeConfig": RowsQuantizeConfig,
        "QuantizeWrapperV2": QuantizeWrapperV2,  # which can load what tfmot's own saved
    }
    with tfmot.quantization.keras.quantize_scope(), keras.utils.custom_object_scope(ours):
        yield
