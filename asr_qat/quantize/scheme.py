"""The tfmot scheme: no graph rewriting, and a registry that goes by layer name."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import tensorflow_model_optimization as tfmot
from tensorflow import keras

from asr_qat.compat import QuantizeRegistry, QuantizeScheme
from asr_qat.quantize import depthwise
from asr_qat.quantize.configs import KernelQuantizeConfig, RowsQuantizeConfig
from asr_qat.quantize.precision import Precision, parse
from asr_qat.quantize.product_layer import QUANTIZED_LAYERS, ProductLayer
from asr_qat.quantize.rows import RowEmbedding
from asr_qat.quantize.wrapper import QuantizeWrapperV2


class PrecisionRegistry(QuantizeRegistry):
    """The quantize config of each layer.

    Args:
        precision: name of the precision of every layer with a product.
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

        Each kind of layer says what it executes where another precision is wanted. A stock
        depthwise convolution is float unless an override asks for what `DepthwiseConv` executes.
        """
        if depthwise.is_stock(layer):
            return self._of_depthwise(layer.name)
        wanted = self.precision(layer.name) if isinstance(layer, ProductLayer) else None
        return None if wanted is None else layer.executed(wanted)

    def _of_depthwise(self, name: str) -> Precision | None:
        matching = (found for pattern, found in self._overrides if pattern.search(name))
        wanted = next(matching, None)
        eight = wanted and wanted.weight_bits == 8 and wanted.activation_bits is None
        return wanted if eight else None

    def supports(self, layer: keras.layers.Layer) -> bool:
        """Whether `layer` is to be quantized as it is."""
        return isinstance(layer, ProductLayer) and self.of(layer) is not None

    def get_quantize_config(self, layer: keras.layers.Layer, **more: Any) -> KernelQuantizeConfig:
        """The config of a supported layer, `more` arguments of its `KernelQuantizer` in it."""
        precision = self.of(layer)
        assert precision is not None
        config = RowsQuantizeConfig if isinstance(layer, RowEmbedding) else KernelQuantizeConfig
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
        "KernelQuantizeConfig": KernelQuantizeConfig,
        "RowsQuantizeConfig": RowsQuantizeConfig,
        "QuantizeWrapperV2": QuantizeWrapperV2,  # which can load what tfmot's own saved
    }
    with tfmot.quantization.keras.quantize_scope(), keras.utils.custom_object_scope(ours):
        yield
