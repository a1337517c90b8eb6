"""From the labelled float flatbuffer to packed integer weights, by ai-edge-quantizer."""

from ai_edge_litert.tools import flatbuffer_utils
from ai_edge_quantizer import qtyping
from ai_edge_quantizer import quantizer as aeq

from asr_qat.quantize.precision import Precision
from tflite_export.labels import products
from tflite_export.silence import silence

FULLY_CONNECTED = qtyping.TFLOperationName.FULLY_CONNECTED


def pack(content: bytes, layers: dict[str, Precision]) -> bytes:
    """Quantize the weights of the dense products.

    The scale of a channel is its largest magnitude over the largest integer: for weights that
    lie on a trained grid that is the trained scale, and the trained integers come back.

    Args:
        content: a `.tflite` whose products are labelled.
        layers: precision by layer name; layers that are not named stay float.

    Returns:
        The packed `.tflite`.
    """
    if not layers:
        return content
    quantizer = aeq.Quantizer(bytearray(content))
    for name, precision in layers.items():
        quantizer.update_quantization_recipe(
            f"^{name}/product", FULLY_CONNECTED, _config(precision)
        )
    with silence():
        # Its report is printed by Python, which in a notebook goes past the file descriptors.
        packed = quantizer.quantize(enable_progress_bar=False, enable_progress_report=False)
    return _with_zero_points(packed.quantized_model)


def _config(precision: Precision) -> qtyping.OpQuantizationConfig:
    """Weights converted back to float before the product, or multiplied as they are."""
    integer = precision.activation_bits is not None
    return qtyping.OpQuantizationConfig(
        weight_tensor_config=qtyping.TensorQuantizationConfig(
            precision.weight_bits,
            symmetric=True,
            granularity=qtyping.QuantGranularity.CHANNELWISE,
        ),
        compute_precision=(
            qtyping.ComputePrecision.INTEGER if integer else qtyping.ComputePrecision.FLOAT
        ),
        explicit_dequantize=not integer,
        skip_checks=True,  # they know nothing of 2-bit weights with float activations
    )


def _with_zero_points(content: bytearray) -> bytes:
    """The file, its plain kernels told to quantize activations asymmetrically.

    XNNPACK always does, as training does. A product that it does not take, for its number of
    inputs or for want of XNNPACK, would else be computed with symmetric activations.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    for _, operator in products(model):
        operator.builtinOptions.asymmetricQuantizeInputs = True
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))
