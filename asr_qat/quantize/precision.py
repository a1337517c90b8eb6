"""Named precisions.

Grammar: `w<bits>[a<bits>[s]][-b<block>][-asym][-<range>]`, or `float`.

| part       | meaning                                                | LiteRT executes it    |
|------------|--------------------------------------------------------|-----------------------|
| `w8 w4 w2` | weights: symmetric, a scale for each output channel    | yes                   |
| `w3`       | three bits, -3 to 3                                    | yes, held in 4 bits   |
| `w1`       | one bit, -1 or 1 times the mean magnitude of a channel | yes, held in 2 bits   |
| `w32`      | float weights, with quantized activations              | no, training only     |
| (no `a`)   | float activations, weights are dequantized             | equal within 5e-6     |
| `a8`       | int8 activations, a scale and zero point for each row  | equal within 1e-6     |
| `a8s`      | int8 in and out, ranges fixed in training              | equal bit by bit      |
| `a4`       | 4-bit activations, a scale and zero point for each row | no, training only     |
| `-b32`     | sub-channel: a scale for 32, 64 or 128 inputs each     | up to 4 bits, `a8`;   |
|            |                                                        | held in 4 bits        |
| `-asym`    | 2-bit weights with an offset: all four levels          | equal within 5e-6;    |
|            |                                                        | not with blocks       |
| `-aqt`     | scale = max / (2^(bits-1) - 1/2), the bound of AQT     | yes                   |
| `-clip`    | scale of the range with the least sum of errors        | yes                   |
| `-learned` | scale trained with the weights                         | yes                   |

Equal: an output in LiteRT and in training, on the same input, as a share of the largest output of
its row. Where floats are summed, of float activations or for an offset, the order of the sum shows
in the last bits; integer sums are the same, and the floats that rescale them are rounded.

Without a range the largest weight is kept exactly: scale = max / (2^(bits-1) - 1). Two bits are
ternary: the levels are -1, 0 and 1 times the scale, and what lies within half of it is 0. One bit
has a mean or a learned scale. How weights become integers: `asr_qat.quantize.grids`; what shows
that LiteRT is equal to training: `tests/test_device_arithmetic.py`.

Examples: `w4a8`, `w8a8s`, `w2a8-asym-clip`, `w4-b32`, `w4` (4-bit weights, float activations).

Integer products are those with `a`; with float activations LiteRT converts the weights back to
float at every call, which saves bytes but no time. XNNPACK takes a product with `a8` if each
output's weights fill whole bytes: an even number of inputs at 4 bits, a multiple of four at 2.
The others are computed alike by a plain, slower kernel.
"""

import dataclasses
import re
from typing import Literal

from asr_qat.errors import UserError

WEIGHT_BITS = (1, 2, 3, 4, 8, 32)
BLOCKS = (32, 64, 128)
FLOAT = "float"
FLOAT_BITS = 32
Range = Literal["max", "aqt", "clip", "learned"]
GRAMMAR = "w<8|4|3|2|1>[a8|a8s|a4][-b<32|64|128>][-asym][-aqt|-clip|-learned], w32<a8|a8s|a4>"
_NAME = re.compile(r"w(\d+)(?:a(\d+)(s?))?(?:-b(\d+))?(-asym)?(?:-(aqt|clip|learned))?")


@dataclasses.dataclass(frozen=True)
class Precision:
    """Arithmetic of one layer.

    Attributes:
        weight_bits: of the weights, `FLOAT_BITS` for float.
        activation_bits: of the layer's input, None for float.
        static: the activations' ranges are fixed in training; the output is quantized too.
        block: inputs that share a scale, None for all of a channel.
        asymmetric: the weights have an offset.
        range: how the scale is found; `max` is the mean magnitude at one bit.
    """

    weight_bits: int
    activation_bits: int | None = None
    static: bool = False
    block: int | None = None
    asymmetric: bool = False
    range: Range = "max"

    @property
    def name(self) -> str:
        """The name that `parse` reads."""
        parts = [f"w{self.weight_bits}"]
        if self.activation_bits:
            parts.append(f"a{self.activation_bits}{'s' if self.static else ''}")
        parts += [f"-b{self.block}"] if self.block else []
        parts += ["-asym"] if self.asymmetric else []
        parts += [f"-{self.range}"] if self.range != "max" else []
        return "".join(parts)

    @property
    def storage_bits(self) -> int:
        """Width of a weight in the file; LiteRT has no 3 bits nor 1, and no blocks of 2."""
        if self.weight_bits == 3 or (self.weight_bits < 3 and self.block is not None):
            return 4
        return max(self.weight_bits, 2)

    @property
    def one_bit(self) -> bool:
        """Whether weights have a sign and nothing else."""
        # On the way to fewer bits a width is a tensor, and never this one.
        return isinstance(self.weight_bits, int) and self.weight_bits == 1

    @property
    def searched(self) -> "Precision":
        """The same with the range of the least error: by search, of one bit its mean."""
        return dataclasses.replace(self, range="max" if self.one_bit else "clip")

    @property
    def on_device(self) -> bool:
        """Whether LiteRT executes it; else it exists in training only."""
        if self.weight_bits == FLOAT_BITS or self.activation_bits == 4:
            return False
        if self.block is None:
            return True
        return self.weight_bits <= 4 and self.activation_bits == 8 and not self.asymmetric


def parse(name: str) -> Precision | None:
    """Read a precision name; `float` gives None.

    Raises:
        UserError: not a name of the grammar above.
    """
    if name == FLOAT:
        return None
    match = _NAME.fullmatch(name)
    if match:
        precision = Precision(
            weight_bits=int(match[1]),
            activation_bits=int(match[2]) if match[2] else None,
            static=bool(match[3]),
            block=int(match[4]) if match[4] else None,
            asymmetric=bool(match[5]),
            range=match[6] or "max",  # type: ignore[arg-type]  # the pattern has no other
        )
        if _sound(precision):
            return precision
    raise UserError(f"precision '{name}': expected one of float, w4a8, {GRAMMAR}")


def _sound(precision: Precision) -> bool:
    """Whether the parts of a name go together."""
    if precision.weight_bits not in WEIGHT_BITS or precision.block not in (None, *BLOCKS):
        return False
    plain = Precision(precision.weight_bits, precision.activation_bits, precision.static)
    if precision.weight_bits == FLOAT_BITS:
        return precision == plain and precision.activation_bits in (4, 8)
    if precision.asymmetric and (precision.weight_bits != 2 or precision.range == "aqt"):
        return False
    if precision.one_bit and precision.range in ("aqt", "clip"):
        return False
    if precision.static:
        # The device rounds the sum of the product itself: there is nothing to add to it before.
        return precision.activation_bits == 8 and not (precision.block or precision.asymmetric)
    return precision.activation_bits in (None, 4, 8)
