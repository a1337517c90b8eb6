"""From the labelled float flatbuffer to packed integer weights, by ai-edge-quantizer."""

from ai_edge_quantizer import qtyping
from ai_edge_quantizer import quantizer as aeq

from asr_qat.quantize.precision import Precision
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
        add = (
            quantizer.add_dynamic_config
            if precision.activation_bits
            else quantizer.add_weight_only_config
        )
        add(f"^{name}/product", FULLY_CONNECTED, precision.weight_bits)
    with silence():
        # Its report is printed by Python, which in a notebook goes past the file descriptors.
        packed = quantizer.quantize(enable_progress_bar=False, enable_progress_report=False)
    return bytes(packed.quantized_model)
