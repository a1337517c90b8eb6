"""From a float graph and its ranges to a graph of integers.

litert-quantizer converts the graph, with 8-bit weights; then the trained integers and scales
replace those that it found for the dense products.
"""

import dataclasses
import warnings
from collections.abc import Mapping

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from litert_quantizer import qtyping
from litert_quantizer import quantizer as litert_quantizer

from tflite_export.convert.bake import BakedLayer
from tflite_export.convert.full_integer.calibrate import Range
from tflite_export.convert.labelled import layer_of_product, products
from tflite_export.convert.labels import NO_TENSOR
from tflite_export.convert.pack import TYPES, Buffers, parameters
from tflite_export.convert.packed import packed_integers
from tflite_export.silence import silence

INT8_LIMITS = (-128, 127)
SAME_VALUES = (schema.BuiltinOperator.RESHAPE, schema.BuiltinOperator.TRANSPOSE)
BYTE = 8
BIAS = {8: np.int32, 16: np.int64}  # by width of the activations


def quantize_all(
    content: bytes,
    layers: Mapping[str, BakedLayer],
    factors: Mapping[str, float],
    ranges: Mapping[str, Range],
    activation_bits: int,
    whole_bytes: bool = False,
) -> schema.ModelT:
    """Every activation to int8 or int16 with one scale, every weight to integers.

    Activations of 8 bits have a zero point, those of 16 bits none. A product's input and
    output have the ranges that they were trained with, if any; where several products with
    trained ranges read the same input, the widest; where one reads another's output, that
    one's.

    Args:
        content: a float `.tflite` whose products are labelled.
        layers: by name; products of other layers get weights of 8 bits.
        factors: see `merged_factors`.
        ranges: of each activation, by tensor name.
        activation_bits: 8 or 16.
        whole_bytes: store every weight in a byte, narrower ones too.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    found = {
        name: _Product.read(model, graph, operator, layers[name], factors.get(name, 1.0))
        for graph, operator in products(model)
        if (name := layer_of_product(graph, operator)) in layers
    }
    known = {**ranges, **_trained_ranges(model, found)}
    integers = flatbuffer_utils.read_model_from_bytearray(
        bytearray(_quantized(content, known, activation_bits))
    )
    for buffer in integers.buffers:  # above 256 KB they come as bytes after the flatbuffer
        buffer.data = None if buffer.data is None else np.frombuffer(buffer.data, np.uint8)
    buffers = Buffers(integers)
    for graph, operator in products(integers):
        name = layer_of_product(graph, operator)
        if name in found:
            product = found[name]
            product.write(name, integers, graph, operator, buffers, activation_bits, whole_bytes)
    for graph in integers.subgraphs:
        for operator in graph.operators:
            if hasattr(operator.builtinOptions, "potScaleInt16"):
                operator.builtinOptions.potScaleInt16 = False  # scales are no powers of two
    used = {tensor.buffer for graph in integers.subgraphs for tensor in graph.tensors}
    for index, buffer in enumerate(integers.buffers):
        if index not in used:
            buffer.data = None
    return integers


def _quantized(content: bytes, ranges: Mapping[str, Range], activation_bits: int) -> bytearray:
    config = qtyping.OpQuantizationConfig(
        activation_tensor_config=qtyping.TensorQuantizationConfig(
            activation_bits, symmetric=activation_bits == 16
        ),
        weight_tensor_config=qtyping.TensorQuantizationConfig(
            8, symmetric=True, granularity=qtyping.QuantGranularity.CHANNELWISE
        ),
        compute_precision=qtyping.ComputePrecision.INTEGER,
        explicit_dequantize=False,
        skip_checks=True,
    )
    known = {
        name: {"min": np.float32(low), "max": np.float32(high)}
        for name, (low, high) in ranges.items()
    }
    quantizer = litert_quantizer.Quantizer(bytearray(content))
    quantizer.update_quantization_recipe(".*", qtyping.TFLOperationName.ALL_SUPPORTED, config)
    with silence(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # Its report is printed by Python, which in a notebook goes past the file descriptors.
        return quantizer.quantize(
            known, enable_progress_bar=False, enable_progress_report=False
        ).quantized_model


@dataclasses.dataclass
class _Product:
    """What the float graph knows of a product.

    Attributes:
        layer: the trained integers.
        factor: that the converter merged into weights and bias.
        bias: float32 `[output]`, with the factor, or None.
    """

    layer: BakedLayer
    factor: float
    bias: np.ndarray | None

    @classmethod
    def read(cls, model, graph, operator, layer: BakedLayer, factor: float) -> "_Product":
        def floats(tensor: int) -> np.ndarray:
            return model.buffers[graph.tensors[tensor].buffer].data.view(np.float32)

        bias = operator.inputs[2] if len(operator.inputs) > 2 else NO_TENSOR
        return cls(layer, factor, None if bias == NO_TENSOR else floats(bias))

    def write(self, name, model, graph, operator, buffers: Buffers, bits: int, whole: bool) -> None:
        """Replace the kernel by the trained integers, and the bias by one that fits them."""
        scale = np.float32(self.factor) * self.layer.scale
        width = BYTE if whole else self.layer.precision.storage_bits
        kernel = graph.tensors[operator.inputs[1]]
        kernel.type = TYPES[width]
        packed = packed_integers(self.layer.integers, width) if whole else self.layer.packed
        kernel.buffer = buffers.write(name, "kernel", packed)
        kernel.quantization = parameters(scale, np.zeros(len(scale)))
        if self.bias is None:
            return
        (given,) = graph.tensors[operator.inputs[0]].quantization.scale
        unit = np.float32(given) * scale
        bias = graph.tensors[operator.inputs[2]]
        bias.buffer = buffers.write(name, "bias", np.round(self.bias / unit).astype(BIAS[bits]))
        bias.quantization = parameters(unit, np.zeros(len(unit)))


def _trained_ranges(model: schema.ModelT, found: Mapping[str, _Product]) -> dict[str, Range]:
    """Ranges of the inputs and outputs of products that were trained with static ones."""
    inputs: dict[str, Range] = {}
    outputs: dict[str, Range] = {}
    for graph, operator in products(model):
        product = found.get(layer_of_product(graph, operator))
        if product is None or product.layer.input is None or product.layer.output is None:
            continue
        x, y = _origin(model, graph, operator.inputs[0]), operator.outputs[0]
        name = graph.tensors[x].name.decode()
        low, high = _ends(*product.layer.input)
        before = inputs.get(name, (low, high))
        inputs[name] = min(low, before[0]), max(high, before[1])
        low, high = _ends(*product.layer.output)
        outputs[graph.tensors[y].name.decode()] = low * product.factor, high * product.factor
    return {**inputs, **outputs}


def _origin(model: schema.ModelT, graph: schema.SubGraphT, tensor: int) -> int:
    """The tensor that `tensor` only reshapes or transposes, and whose range it has."""
    for operator in reversed(graph.operators):
        code = model.operatorCodes[operator.opcodeIndex].builtinCode
        if operator.outputs[0] == tensor and code in SAME_VALUES:
            tensor = operator.inputs[0]
    return tensor


def _ends(scale: float, zero_point: int) -> Range:
    low, high = ((limit - zero_point) * scale for limit in INT8_LIMITS)
    return low, high
