"""Words for a precision."""

from typing import Any

from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.quantize.policies import policy
from asr_qat.quantize.precision import FLOAT, FLOAT_BITS, Precision, parse

RANGES = {"aqt": "AQT's bound", "clip": "range by search", "learned": "learned scale"}


def describe(quantization: QuantizationConfig | None) -> dict[str, Any]:
    """What a precision is.

    Returns:
        `weights` in bits, None for a mixture; `activations`: `float`, `int8 dynamic`,
        `int8 static` or `int4 dynamic`; `scheme` in words; `executed_on_device`: whether LiteRT
        executes the arithmetic of all layers.
    """
    found = precisions(quantization)
    named = found[0]
    row: dict[str, Any] = {
        "weights": FLOAT_BITS,
        "activations": FLOAT,
        "scheme": FLOAT,
        "executed_on_device": all(p is None or p.on_device for p in found),
    }
    if named is not None:
        row |= {
            "weights": named.weight_bits,
            "activations": _activations(named),
            "scheme": _words(named),
        }
    if len(found) > 1:
        row |= {"weights": None, "scheme": f"{row['scheme']}; mixed by layer"}
    return row


def precisions(quantization: QuantizationConfig | None) -> list[Precision | None]:
    """The precision of most layers, and those of the others."""
    if quantization is None:
        return [None]
    named = policy(quantization.precision)
    others = [*named.overrides.values(), *quantization.overrides.values()]
    return [parse(name) for name in (named.precision, *others)]


def _activations(precision: Precision) -> str:
    if precision.activation_bits is None:
        return FLOAT
    return f"int{precision.activation_bits} {'static' if precision.static else 'dynamic'}"


def _words(precision: Precision) -> str:
    if precision.weight_bits == FLOAT_BITS:
        return FLOAT
    words = [
        "asymmetric" if precision.asymmetric else "symmetric",
        f"blocks of {precision.block}" if precision.block else "per channel",
    ]
    if precision.range in RANGES:
        words.append(RANGES[precision.range])
    return ", ".join(words)
