"""Words for a precision."""

from typing import Any

from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.quantize.policies import policy
from asr_qat.quantize.precision import parse
from tflite_export.study.config import FLOAT_BITS

RANGES = {
    "aqt": "AQT's bound",
    "clip": "range by search",
    "learned": "learned scale",
}


def describe(quantization: QuantizationConfig | None) -> dict[str, Any]:
    """`weights` in bits (None for a mixture), kind of `activations`, and `scheme` in words."""
    precision = None if quantization is None else parse(policy(quantization.precision).precision)
    if precision is None or quantization is None:
        return {"weights": FLOAT_BITS, "activations": "float", "scheme": "float"}
    bits = precision.activation_bits
    kind = "static" if getattr(precision, "static", False) else "dynamic"
    mixed = bool(policy(quantization.precision).overrides or quantization.overrides)
    return {
        "weights": None if mixed else precision.weight_bits,
        "activations": f"int{bits} {kind}" if bits else "float",
        "scheme": ", ".join(_words(precision) + ["mixed by layer"] * mixed),
    }


def executed_on_device(quantization: QuantizationConfig | None) -> bool:
    """Whether LiteRT runs every layer as it was trained."""
    if quantization is None:
        return True
    named = policy(quantization.precision)
    names = [named.precision, *named.overrides.values(), *quantization.overrides.values()]
    return all(getattr(parse(name), "on_device", True) for name in names)


def _words(precision: Any) -> list[str]:
    if precision.weight_bits == FLOAT_BITS:
        return ["float"]
    block = getattr(precision, "block", None)
    words = [
        "asymmetric" if getattr(precision, "asymmetric", False) else "symmetric",
        f"blocks of {block}" if block else "per channel",
    ]
    chosen = getattr(precision, "range", None)
    return words + [RANGES[chosen]] if chosen in RANGES else words
