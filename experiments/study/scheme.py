"""What a precision is, in words."""

from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.quantize.policies import policy
from asr_qat.quantize.precision import FLOAT, FLOAT_BITS, Precision, parse
from experiments.study.cell_rows import Scheme

RANGES = {"aqt": "AQT's bound", "clip": "range by search", "learned": "learned scale"}


def describe(quantization: QuantizationConfig | None) -> Scheme:
    """Widths and grid of a precision, and whether LiteRT executes it."""
    found = precisions(quantization)
    named, mixed = found[0], len(found) > 1
    words = FLOAT if named is None else _words(named)
    bits = FLOAT_BITS if named is None else named.weight_bits
    return Scheme(
        weights=None if mixed else bits,
        activations=FLOAT if named is None else _activations(named),
        scheme=f"{words}; mixed by layer" if mixed else words,
        executed_on_device=all(p is None or p.on_device for p in found),
    )


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
        "signs" if precision.one_bit else "asymmetric" if precision.asymmetric else "symmetric",
        f"blocks of {precision.block}" if precision.block else "per channel",
    ]
    if precision.range in RANGES:
        words.append(RANGES[precision.range])
    return ", ".join(words)
