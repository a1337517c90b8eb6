"""A quantized product of a file, computed again in numpy from the file's own integers.

What is asked is whether the device computes what the file says, not whether the file says what was
trained: `tflite_export.score.product_equality` compares it with the Keras model.
"""

import dataclasses
from collections.abc import Callable

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from asr_qat.arrays import Array
from tflite_export.convert.labelled import layer_of_product
from tflite_export.convert.packed import unpacked_integers
from tflite_export.score.device.patches import Window, patches
from tflite_export.score.device.rounding import (
    HIGHEST,
    LOWEST,
    Scaled,
    other_roundings,
    scaled_rows,
    scaled_statically,
)

# Kinds of products, and how far off the first five may be, as a share of the output's range.
DYNAMIC, BLOCKS, STATIC = "dynamic", "dynamic, blocks", "static"
FLOAT, TABLE, INTEGER = "float activations", "table", "integer"
BOUNDS = {
    DYNAMIC: 1e-6,
    BLOCKS: 3e-6,  # sums of floats, one for each block
    STATIC: 1e-6,  # less than any step: equal
    FLOAT: 5e-6,  # sums of floats, in any order
    TABLE: 1e-6,
}
STEPS = 1.01  # of the output of an integer product: LiteRT has kernels that round twice
BITS = {schema.TensorType.INT8: 8, schema.TensorType.INT4: 4, schema.TensorType.INT2: 2}
ACTIVATIONS: dict[int, Callable[[Array], Array]] = {
    schema.ActivationFunctionType.NONE: lambda y: y,
    schema.ActivationFunctionType.RELU: lambda y: np.maximum(y, np.float32(0)),
    schema.ActivationFunctionType.RELU6: lambda y: np.clip(y, np.float32(0), np.float32(6)),
    schema.ActivationFunctionType.TANH: np.tanh,
}
EXACT = 2**24  # whole numbers up to here are floats of 32 bits
SMALLEST = float(np.finfo(np.float32).tiny)
IMAGE = (1, 2, 3)  # axes of height, width and channels


@dataclasses.dataclass(frozen=True)
class Compared:
    """Rows of a product beside what they should be.

    Attributes:
        errors: largest difference of each row, float `[rows]`.
        ties: rows that are right if activations on an edge went to the other side, bool `[rows]`.
    """

    errors: Array
    ties: Array


class FileProduct:
    """A labelled product whose weights are integers.

    Args:
        model: a flatbuffer object.
        graph: of the product.
        operator: that computes it.
        unpacked: weights by buffer: those of other products, as signatures share them; added to.

    Attributes:
        layer: its name.
        kind: of its arithmetic, one of those above.

    Raises:
        NotImplementedError: an operator that this does not know.
    """

    def __init__(
        self,
        model: schema.ModelT,
        graph: schema.SubGraphT,
        operator: schema.OperatorT,
        unpacked: dict[int, Array],
    ):
        self.layer = layer_of_product(graph, operator)
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        weights = graph.tensors[integer_weights(graph, operator)]
        self._output = graph.tensors[operator.outputs[0]]
        self._input = graph.tensors[operator.inputs[0]]
        if weights.buffer not in unpacked:
            shape, bits = tuple(weights.shape), BITS[weights.type]
            integers = unpacked_integers(_data(model, weights), bits, shape)
            unpacked[weights.buffer] = integers.reshape(len(integers), -1)
        self._integers = unpacked[weights.buffer]  # [outputs, inputs]
        self._window: Window | None = None
        if code == schema.BuiltinOperator.CONV_2D:
            self._window = Window.of(operator.builtinOptions, weights.shape, self._input.shape[-1])
        elif code == schema.BuiltinOperator.DEPTHWISE_CONV_2D:
            raise NotImplementedError("DEPTHWISE_CONV_2D")
        self.kind = _kind(graph, operator, weights, self._input, code)
        self._scale = self._scales(model, graph, weights)
        bias = operator.inputs[2] if len(operator.inputs) > 2 else -1
        self._bias = None if bias < 0 else _numbers(model, graph.tensors[bias])
        options = operator.builtinOptions
        self._fused = 0 if options is None else getattr(options, "fusedActivationFunction", 0)

    def most(self, spread: float) -> float:
        """How far off an output may be whose values have a range of `spread`."""
        if self.kind == INTEGER:
            return STEPS * _affine(self._output)[0]
        return BOUNDS[self.kind] * max(spread, SMALLEST)

    @np.errstate(all="ignore")  # what is not a number has no error that is one
    def compare(self, given: Array, got: Array) -> Compared:
        """What LiteRT made of an input, beside what it should.

        Args:
            given: `[..., inputs]`: floats, or integers of an integer product.
            got: `[..., outputs]`, as `given`.
        """
        outputs = got.shape[-1]
        rows = self.floats(got).reshape(-1, outputs)
        if self.kind == TABLE:
            ids = given.reshape(-1)
            return _plain(self._integers[ids] * self._scale[ids, None], rows)
        if self.kind == FLOAT:
            x = given if self._window is None else patches(given, self._window)
            return _plain(self._finish_float(x.reshape(-1, x.shape[-1])), rows)
        scaled = self._scaled(given)
        found = _plain(self._finish(scaled.rounded(), scaled.unit), rows)
        most = self.most(float(np.ptp(rows)))
        for index in np.flatnonzero(~(found.errors <= most)):
            row, wanted = scaled.row(index), rows[index]
            others = [
                float(np.abs(self._finish(q, row.unit)[0] - wanted).max())
                for q in other_roundings(row)
            ]
            if others and min(others) <= most:
                found.errors[index], found.ties[index] = min(others), True
        return found

    def _scales(self, model, graph, weights: schema.TensorT) -> Array:
        """Of the weights: float32 `[outputs]`, or `[blocks, 1, outputs]`."""
        about, outputs = weights.quantization, len(self._integers)
        if self.kind != BLOCKS:
            return np.broadcast_to(np.asarray(about.scale, np.float32), [outputs])
        scales = _data(model, graph.tensors[about.details.scales]).view(np.float16)
        return scales.reshape(outputs, -1).T[:, None].astype(np.float32)

    def _matrix(self) -> Array:
        """The integers as floats `[inputs, outputs]` whose sums are exact."""
        most = 255 * int(np.abs(self._integers).max(initial=0)) * self._integers.shape[1]
        return self._integers.T.astype(np.float32 if most < EXACT else np.float64)

    def _scaled(self, given: Array) -> Scaled:
        """The activations of each row of the product, before they are rounded."""
        if self.kind in (DYNAMIC, BLOCKS):
            if self._window is None:
                return scaled_rows(given.reshape(-1, given.shape[-1]))
            whole = scaled_rows(given, -1 if self._window.pixelwise else IMAGE)
            spread = [np.broadcast_to(p, (*given.shape[:-1], 1)) for p in (whole.low, whole.high)]
            unit = np.broadcast_to(whole.unit, (*given.shape[:-1], 1))
            parts = [self._window.first(part).reshape(-1, 1) for part in (*spread, unit)]
            values = patches(whole.values, self._window)
            return Scaled(values.reshape(-1, values.shape[-1]), *parts)
        scale, zero_point = _affine(self._input)
        if self.kind == STATIC:
            return scaled_statically(given.reshape(-1, given.shape[-1]), scale, zero_point)
        moved = given.astype(np.float32) - np.float32(zero_point)  # whole numbers already
        rows = moved if self._window is None else patches(moved, self._window)
        rows = rows.reshape(-1, rows.shape[-1])
        ends = np.full((len(rows), 1), np.inf, np.float32)
        return Scaled(rows, -ends, ends, np.full_like(ends, scale))

    def _finish(self, integers: Array, unit: Array) -> Array:
        """Outputs `[rows, outputs]` of rounded activations, and what one of them stands for."""
        weights = self._matrix()
        if self.kind == BLOCKS:
            weights = weights.reshape(len(self._scale), -1, weights.shape[1])
            parts = integers.reshape(len(integers), len(weights), -1).transpose(1, 0, 2)
            sums = (parts @ weights * self._scale).sum(axis=0)
            return self._activated(sums.astype(np.float32) * unit)
        sums = integers.astype(weights.dtype) @ weights
        if self.kind == DYNAMIC:
            return self._activated(sums.astype(np.float32) * unit * self._scale)
        return self._requantized(sums)

    def _finish_float(self, x: Array) -> Array:
        return self._activated(x @ (self._integers.T * self._scale))

    def _activated(self, y: Array) -> Array:
        return ACTIVATIONS[self._fused](y if self._bias is None else y + self._bias)

    def _requantized(self, sums: Array) -> Array:
        """Sums of integers on the grid of the output."""
        (in_scale, _), (scale, zero_point) = _affine(self._input), _affine(self._output)
        sums = sums if self._bias is None else sums + self._bias
        sums = sums.astype(np.float32)  # as the kernel has them before it rescales
        unit = np.float32(in_scale) * self._scale / np.float32(scale)
        wide = self._output.type == schema.TensorType.INT16
        lowest, highest = (-32768, 32767) if wide else (LOWEST, HIGHEST)
        if self._fused == schema.ActivationFunctionType.RELU:
            lowest = max(lowest, zero_point)
        y = np.clip(np.rint(sums * unit) + zero_point, lowest, highest) - zero_point
        return (y * np.float32(scale)).astype(np.float32)

    def floats(self, got: Array) -> Array:
        """Outputs as floats, whatever they are."""
        if got.dtype == np.float32:
            return got
        scale, zero_point = _affine(self._output)
        found: Array = (got.astype(np.float32) - zero_point) * np.float32(scale)
        return found


def integer_weights(graph: schema.SubGraphT, operator: schema.OperatorT) -> int:
    """The tensor with a product's weights, before the DEQUANTIZE of one with float activations."""
    weights = int(operator.inputs[1])
    for other in graph.operators:
        if weights in other.outputs:
            return int(other.inputs[0])
    return weights


def has_integers(graph: schema.SubGraphT, operator: schema.OperatorT) -> bool:
    """Whether a product's weights are integers."""
    return graph.tensors[integer_weights(graph, operator)].type in BITS


def _kind(graph, operator, weights: schema.TensorT, given: schema.TensorT, code: int) -> str:
    if code == schema.BuiltinOperator.EMBEDDING_LOOKUP:
        return TABLE
    if integer_weights(graph, operator) != operator.inputs[1]:
        return FLOAT
    if given.type != schema.TensorType.FLOAT32:
        made = [o for o in graph.operators if operator.inputs[0] in o.outputs]
        from_float = made and graph.tensors[made[0].inputs[0]].type == schema.TensorType.FLOAT32
        return STATIC if from_float else INTEGER
    blocks = weights.quantization.details is not None
    return BLOCKS if blocks else DYNAMIC


def _plain(expected: Array, rows: Array) -> Compared:
    errors = np.abs(expected - rows).max(axis=-1, initial=0.0)
    return Compared(errors, np.zeros(len(rows), bool))


def _affine(tensor: schema.TensorT) -> tuple[float, int]:
    """Scale and zero point of a tensor that has one."""
    return float(tensor.quantization.scale[0]), int(tensor.quantization.zeroPoint[0])


def _data(model: schema.ModelT, tensor: schema.TensorT) -> Array:
    return np.asarray(model.buffers[tensor.buffer].data, np.uint8)


def _numbers(model: schema.ModelT, tensor: schema.TensorT) -> Array | None:
    """A bias as it is added: floats, or the integers."""
    types = {
        schema.TensorType.FLOAT32: np.float32,
        schema.TensorType.INT32: np.int32,
        schema.TensorType.INT64: np.int64,
    }
    if model.buffers[tensor.buffer].data is None:
        return None
    return _data(model, tensor).view(types[tensor.type])
