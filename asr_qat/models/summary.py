"""Parameters, bits and bytes of every layer."""

import dataclasses
import re

import numpy as np
from tensorflow import keras
from tensorflow_model_optimization.python.core.quantization.keras.quantize_wrapper import (
    QuantizeWrapperV2,
)

from asr_qat.layers.dense import Dense
from asr_qat.quantize.apply import QuantizationConfig

FLOAT_BITS = 32
_BLOCK_OR_WORD = re.compile(r"block_\d+|[^_]+")


@dataclasses.dataclass(frozen=True)
class LayerSummary:
    """A layer, or a group of layers, with weights.

    Attributes:
        name: of the layer in the Keras model.
        parameters: number of its weights.
        bits: width of its kernel; of a group the mean over all its parameters.
        bytes: kernel packed at its width, a float32 scale for each output channel if it is
            quantized, everything else in float32.
    """

    name: str
    parameters: int
    bits: float
    bytes: int


def summarize(
    model: keras.Model, quantization: QuantizationConfig | None = None
) -> list[LayerSummary]:
    """Every layer with weights, in the order of the model.

    Args:
        model: a Functional model of this package. Layers that are quantized keep their widths.
        quantization: widths of the others, as it would be quantized; None for float.
    """
    registry = quantization.registry() if quantization else None
    rows = []
    for layer in model.layers:
        weights = [w for w in layer.weights if w.dtype.is_floating]  # no step counters
        if not weights:
            continue
        parameters = sum(int(np.prod(w.shape)) for w in weights)
        kernel, bits = None, FLOAT_BITS
        if isinstance(layer, QuantizeWrapperV2):
            ((kernel, quantizer, _),) = layer._weight_vars
            bits = quantizer.weight_bits
        elif registry and isinstance(layer, Dense) and (found := registry.precision(layer.name)):
            kernel, bits = layer.kernel, found.weight_bits
        size = parameters * FLOAT_BITS // 8
        if kernel is not None:
            inputs, outputs = kernel.shape
            size = _bytes(inputs * outputs, bits) + _bytes(outputs, FLOAT_BITS)
            size += _bytes(parameters - inputs * outputs, FLOAT_BITS)
        rows.append(LayerSummary(layer.name, parameters, bits, size))
    return rows


def group(rows: list[LayerSummary]) -> list[LayerSummary]:
    """Rows summed over each block, and over layers whose names begin with the same word."""
    groups: dict[str, list[LayerSummary]] = {}
    for row in rows:
        match = _BLOCK_OR_WORD.match(row.name)
        groups.setdefault(match[0] if match else row.name, []).append(row)
    return [total(members, name) for name, members in groups.items()]


def total(rows: list[LayerSummary], name: str = "total") -> LayerSummary:
    """The sum of all rows."""
    parameters = sum(row.parameters for row in rows)
    size = sum(row.bytes for row in rows)
    return LayerSummary(name, parameters, 8 * size / max(parameters, 1), size)


def _bytes(elements: int, bits: int) -> int:
    return -(-elements * bits // 8)
