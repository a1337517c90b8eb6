"""Parameters, bits and bytes of every layer."""

import dataclasses
import math

import numpy as np
from tensorflow import keras

from asr_qat.compat import QuantizeWrapperV2, quantized_weight
from asr_qat.models.layer_names import group_of
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.quantize.depthwise import is_stock, stock_matrix
from asr_qat.quantize.precision import FLOAT_BITS, Precision

BLOCK_SCALE_BITS = 16


@dataclasses.dataclass(frozen=True)
class LayerSummary:
    """A layer, or a group of layers, with weights.

    Attributes:
        name: of the layer in the Keras model.
        parameters: number of its weights.
        bits: width of its kernel; of a group the mean over all its parameters.
        bytes: kernel packed at its width, a float32 scale for each output channel (and an
            offset, or float16 scales of blocks) if it is quantized, everything else in float32.
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
        weights = _weights(layer)
        if not weights:
            continue
        parameters = sum(int(np.prod(w.shape)) for w in weights)
        if isinstance(layer, QuantizeWrapperV2):
            precision = quantized_weight(layer)[1].precision
        else:
            precision = registry.of(layer) if registry else None
        size, bits = _bytes(parameters, FLOAT_BITS), FLOAT_BITS
        if precision is not None:
            kernel = next(weight for weight in weights if weight.shape.rank >= 2)
            *inputs, outputs = stock_matrix(layer).shape if is_stock(layer) else kernel.shape
            size = kernel_bytes(math.prod(inputs), outputs, precision)
            size += _bytes(parameters - math.prod(inputs) * outputs, FLOAT_BITS)
            bits = precision.weight_bits
        rows.append(LayerSummary(layer.name, parameters, bits, size))
    return rows


def kernel_bytes(inputs: int, outputs: int, precision: Precision) -> int:
    """Bytes of the integers, scales and offsets of a kernel `[inputs, outputs]`."""
    size = _bytes(inputs * outputs, precision.storage_bits)
    if precision.weight_bits == FLOAT_BITS:
        return size
    if precision.block is None:
        scales = _bytes(outputs, FLOAT_BITS)
    else:
        scales = _bytes(inputs // precision.block * outputs, BLOCK_SCALE_BITS)
    return size + scales * (2 if precision.asymmetric else 1)


def _weights(layer: keras.layers.Layer) -> list:
    """The weights of the layer itself, without what a quantizer remembers."""
    if not isinstance(layer, QuantizeWrapperV2):
        return layer.weights
    variables = quantized_weight(layer)[2]
    own = {id(variable) for variable in variables.values()}
    return [w for w in layer.weights if w.dtype.is_floating and id(w) not in own]


def group(rows: list[LayerSummary]) -> list[LayerSummary]:
    """Rows summed over each block, and over layers whose names begin with the same word."""
    groups: dict[str, list[LayerSummary]] = {}
    for row in rows:
        groups.setdefault(group_of(row.name), []).append(row)
    return [total(members, name) for name, members in groups.items()]


def total(rows: list[LayerSummary], name: str = "total") -> LayerSummary:
    """The sum of all rows."""
    parameters = sum(row.parameters for row in rows)
    size = sum(row.bytes for row in rows)
    return LayerSummary(name, parameters, 8 * size / max(parameters, 1), size)


def _bytes(elements: int, bits: int) -> int:
    return -(-elements * bits // 8)
