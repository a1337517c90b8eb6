"""Named precisions.

Grammar: `w<bits>[a<bits>]`, or `float`.

- `w<bits>`: bits of the weights, 8, 4 or 2: symmetric, one scale for each output channel.
  Two bits hold the three levels -1, 0 and 1 times the scale.
- `a<bits>`: bits of the activations, 8: asymmetric, a scale and a zero point for each row,
  computed at run time. Without it the activations stay float.

Examples: `w4a8`, `w8a8`, `w2a8`, `w4` (4-bit weights, float activations), `float`.

LiteRT runs all of them. Integer products are those with `a8`; with float activations it
converts the weights back to float at every call, which saves bytes but no time. XNNPACK takes
a product with `a8` if each output's weights fill whole bytes: an even number of inputs at 4
bits, a multiple of four at 2. The others are computed alike by a plain, slower kernel.
"""

import dataclasses
import re

from asr_qat.errors import UserError

WEIGHT_BITS = (2, 4, 8)
ACTIVATION_BITS = (8,)
FLOAT = "float"


@dataclasses.dataclass(frozen=True)
class Precision:
    """Bits of one layer.

    Attributes:
        weight_bits: of the weights.
        activation_bits: of the layer's input, None for float.
    """

    weight_bits: int
    activation_bits: int | None = None

    @property
    def name(self) -> str:
        """The name that `parse` reads."""
        activations = f"a{self.activation_bits}" if self.activation_bits else ""
        return f"w{self.weight_bits}{activations}"


def parse(name: str) -> Precision | None:
    """Read a precision name; `float` gives None.

    Raises:
        UserError: not a name of the grammar above.
    """
    if name == FLOAT:
        return None
    match = re.fullmatch(r"w(\d+)(?:a(\d+))?", name)
    if match:
        precision = Precision(int(match[1]), int(match[2]) if match[2] else None)
        if precision.weight_bits in WEIGHT_BITS and (
            precision.activation_bits is None or precision.activation_bits in ACTIVATION_BITS
        ):
            return precision
    raise UserError(f"precision '{name}': expected one of float, w8, w4, w2, w8a8, w4a8, w2a8")
