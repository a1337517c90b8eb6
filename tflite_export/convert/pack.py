"""From the labelled flatbuffer to one with weights: packed integers, or floats.

The trained integers and scales are written as they are, nothing is derived from the floats. A
product of static activations gets a QUANTIZE before and a DEQUANTIZE after it, one of float
activations a DEQUANTIZE of its weights.
"""

from collections.abc import Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tflite_export.convert.bake import BakedLayer
from tflite_export.convert.labelled import layer_of_product, products
from tflite_export.convert.labels import NO_TENSOR

TYPES = {8: schema.TensorType.INT8, 4: schema.TensorType.INT4, 2: schema.TensorType.INT2}
OPERATOR_VERSION = 2  # of QUANTIZE and DEQUANTIZE: the first one with int8


def pack(
    model: schema.ModelT, layers: Mapping[str, BakedLayer], factors: Mapping[str, float]
) -> None:
    """Give the products of some layers their integers.

    Args:
        model: its products are labelled and have kernels of their own; changed in place.
        layers: by name.
        factors: see `merged_factors`.
    """
    found = []
    for graph, operator in products(model):
        name = layer_of_product(graph, operator)
        if name in layers:
            factor = factors.get(name, 1.0)
            found.append(_Product(model, graph, operator, name, layers[name], factor))
    buffers = Buffers(model)
    for product in found:
        product.write_kernel(buffers)
        if product.layer.input is not None and product.layer.output is not None:
            product.make_static(buffers, product.layer.input, product.layer.output)
        elif product.looks_up:
            pass  # gives floats
        elif product.layer.precision.activation_bits is None:
            product.dequantize_kernel()
        else:
            product.make_dynamic()
    _drop_unused(model)


def _drop_unused(model: schema.ModelT) -> None:
    """Drop the buffers that no tensor has: the places of kernels that are packed now."""
    used = sorted({0} | {tensor.buffer for graph in model.subgraphs for tensor in graph.tensors})
    number = {index: i for i, index in enumerate(used)}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = number[tensor.buffer]
    model.buffers = [model.buffers[index] for index in used]


def write_floats(
    model: schema.ModelT, kernels: Mapping[str, np.ndarray], factors: Mapping[str, float]
) -> None:
    """Give the products of some layers float weights.

    Args:
        model: as of `pack`.
        kernels: float32 `[..., output]` by name.
        factors: see `merged_factors`.
    """
    for graph, operator in products(model):
        name = layer_of_product(graph, operator)
        buffer = model.buffers[graph.tensors[operator.inputs[1]].buffer]
        if name in kernels and buffer.data is None:  # signatures share it
            weights = np.float32(factors.get(name, 1.0)) * np.moveaxis(kernels[name], -1, 0)
            buffer.data = np.ascontiguousarray(weights).reshape(-1).view(np.uint8)


class Buffers:
    """The new constants of a model, each written once for all its graphs."""

    def __init__(self, model: schema.ModelT):
        self._model = model
        self._written: dict[tuple[str, str], int] = {}

    def write(self, layer: str, part: str, data: np.ndarray) -> int:
        """Index of the buffer with a part of a layer."""
        if (layer, part) not in self._written:
            buffer = schema.BufferT()
            buffer.data = np.ascontiguousarray(data).reshape(-1).view(np.uint8)
            self._model.buffers.append(buffer)
            self._written[layer, part] = len(self._model.buffers) - 1
        return self._written[layer, part]


class _Product:
    """A labelled operator and the layer that it is the product of.

    The converter merges constant factors after a product (the half step of a feed-forward
    module) into its weights and bias; here they go into the scales of weights and output.
    """

    def __init__(self, model, graph, operator, name: str, layer: BakedLayer, factor: float):
        self.model, self.graph, self.operator = model, graph, operator
        self.name, self.layer = name, layer
        self.kernel = graph.tensors[operator.inputs[1]]
        self.factor = np.float32(factor)
        self.scale = layer.scale * self.factor

    @property
    def looks_up(self) -> bool:
        """Whether it gives rows of a table."""
        code = self.model.operatorCodes[self.operator.opcodeIndex].builtinCode
        return code == schema.BuiltinOperator.EMBEDDING_LOOKUP

    def write_kernel(self, buffers: Buffers) -> None:
        """Integers and scales instead of the floats."""
        precision = self.layer.precision
        bits = precision.storage_bits
        self.kernel.type = TYPES[bits]
        self.kernel.buffer = buffers.write(self.name, "kernel", self.layer.packed)
        if precision.block is None:
            zeros = np.zeros(len(self.scale))
            self.kernel.quantization = parameters(self.scale, zeros, self.layer.axis)
            return
        half = self.scale.astype(np.float16)
        scales = self._add(half.shape, schema.TensorType.FLOAT16)
        self.graph.tensors[scales].buffer = buffers.write(self.name, "scales", half)
        details = schema.BlockwiseQuantizationT()
        details.scales, details.zeroPoints = scales, NO_TENSOR
        details.blockSize = precision.block
        self.kernel.quantization = schema.QuantizationParametersT()
        self.kernel.quantization.detailsType = schema.QuantizationDetails.BlockwiseQuantization
        self.kernel.quantization.details = details

    def make_dynamic(self) -> None:
        """Int8 activations, quantized row by row at run time."""
        # XNNPACK always does it so. A product that it does not take, for its number of inputs
        # or for want of XNNPACK, would else be computed with symmetric activations; but for
        # convolutions, which have no such option.
        if hasattr(self.operator.builtinOptions, "asymmetricQuantizeInputs"):
            self.operator.builtinOptions.asymmetricQuantizeInputs = True

    def dequantize_kernel(self) -> None:
        """Float activations: the weights are converted back to float."""
        floats = self._add(self.kernel.shape, schema.TensorType.FLOAT32)
        before = self._operator("DEQUANTIZE", self.operator.inputs[1], floats)
        self.graph.operators.insert(self._position(), before)
        self._set_input(1, floats)

    def make_static(self, buffers: Buffers, given: tuple, output: tuple) -> None:
        """Int8 activations of fixed ranges, given as scale and zero point."""
        int8 = schema.TensorType.INT8
        x = self.operator.inputs[0]
        quantized = self._add(self.graph.tensors[x].shape, int8, parameters(*given))
        before = self._operator("QUANTIZE", x, quantized)
        self.graph.operators.insert(self._position(), before)
        self._set_input(0, quantized)
        unit = np.float32(given[0]) * self.scale
        if len(self.operator.inputs) > 2 and self.operator.inputs[2] != NO_TENSOR:
            old = self.graph.tensors[self.operator.inputs[2]]
            values = self.model.buffers[old.buffer].data.view(np.float32)
            integers = np.round(values / unit).astype(np.int32)
            bias = self._add(
                old.shape, schema.TensorType.INT32, parameters(unit, np.zeros(len(unit)))
            )
            self.graph.tensors[bias].buffer = buffers.write(self.name, "bias", integers)
            self._set_input(2, bias)
        y = self.operator.outputs[0]
        scale, zero_point = output
        rounded = self._add(
            self.graph.tensors[y].shape,
            int8,
            parameters(scale * self.factor, zero_point),
        )
        # The name stays with the operator.
        self.graph.tensors[rounded].name = self.graph.tensors[y].name
        self.graph.tensors[y].name = b""
        self.operator.outputs = [rounded]
        dequantize = self._operator("DEQUANTIZE", rounded, y)
        self.graph.operators.insert(self._position() + 1, dequantize)

    def _position(self) -> int:
        return next(i for i, o in enumerate(self.graph.operators) if o is self.operator)

    def _set_input(self, index: int, tensor: int) -> None:
        inputs = [int(i) for i in self.operator.inputs]
        inputs[index] = tensor
        self.operator.inputs = inputs

    def _add(self, shape, kind: int, quantization=None) -> int:
        """Index of a new tensor."""
        tensor = schema.TensorT()
        tensor.name, tensor.buffer = b"", 0
        tensor.shape, tensor.type = np.asarray(shape, np.int32), kind
        tensor.quantization = quantization
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def _operator(self, name: str, given: int, result: int) -> schema.OperatorT:
        """A QUANTIZE or a DEQUANTIZE."""
        number = getattr(schema.BuiltinOperator, name)
        operator = schema.OperatorT()
        operator.opcodeIndex = code_index(self.model, number, OPERATOR_VERSION)
        operator.inputs, operator.outputs = [int(given)], [result]
        return operator


def code_index(model: schema.ModelT, number: int, version: int) -> int:
    """Index of a kind of operator among those of a model, to which it is added if need be."""
    codes = model.operatorCodes
    index = next((i for i, code in enumerate(codes) if code.builtinCode == number), len(codes))
    if index == len(codes):
        code = schema.OperatorCodeT()
        code.builtinCode, code.version = number, version
        code.deprecatedBuiltinCode = min(number, 127)
        codes.append(code)
    return index


def parameters(scale, zero_points, axis: int = 0) -> schema.QuantizationParametersT:
    """Scale and zero point of the tensor, or of each channel, along an axis."""
    parameters = schema.QuantizationParametersT()
    parameters.scale = np.atleast_1d(np.asarray(scale, np.float32))
    parameters.zeroPoint = np.atleast_1d(np.asarray(zero_points, np.int64))
    parameters.quantizedDimension = axis
    return parameters
