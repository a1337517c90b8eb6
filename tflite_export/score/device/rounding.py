"""Activations to integers as LiteRT's kernels do it, and the ones that lie on an edge of that.

A kernel rounds `x / scale` to a whole number. Half to even, or half away from zero: processors have
instructions for both, and XNNPACK takes what its kernel for the processor has. So an activation
exactly half way between two integers goes to either side. One that is half way but for the last bit
of a float, too: the quotient is a product with the reciprocal in one kernel, a division in another.
"""

import dataclasses
import itertools
from collections.abc import Iterator

import numpy as np

from asr_qat.arrays import Array

LOWEST, HIGHEST = -128.0, 127.0  # of int8
ULPS = 2  # units in the last place of a float32 that count as on the edge
MOST_EDGES = 8  # of a row: 256 ways to round it


@dataclasses.dataclass(frozen=True)
class Scaled:
    """Rows that are to be rounded.

    Attributes:
        values: float32 `[rows, inputs]`, zero for zero.
        low: float32 `[rows, 1]`, the least integer.
        high: the same, the largest.
        unit: float32 `[rows, 1]` that an integer stands for.
    """

    values: Array
    low: Array
    high: Array
    unit: Array

    def rounded(self) -> Array:
        """The integers, half to even: float32 `[rows, inputs]`."""
        found: Array = np.clip(np.rint(self.values), self.low, self.high)
        return found

    def row(self, index: int) -> "Scaled":
        """One of them."""
        one = slice(index, index + 1)
        return Scaled(self.values[one], self.low[one], self.high[one], self.unit[one])


def scaled_rows(x: Array, axes: int | tuple[int, ...] = -1) -> Scaled:
    """Dynamic activations: a scale and a zero point for each row, as XNNPACK computes them.

    Args:
        x: float32 `[..., inputs]`.
        axes: over which values share a scale.
    """
    one = np.float32(1)
    low = np.minimum(x.min(axis=axes, keepdims=True), np.float32(0))
    high = np.maximum(x.max(axis=axes, keepdims=True), np.float32(0))
    empty = low == high
    inverse = np.where(empty, one, np.float32(HIGHEST - LOWEST) / np.where(empty, one, high - low))
    from_low, from_high = LOWEST - low * inverse, HIGHEST - high * inverse
    zero = np.where(low * inverse + high * inverse - one > 0, from_low, from_high)
    zero = np.rint(np.clip(zero, LOWEST, HIGHEST)).astype(np.float32)
    return Scaled(x * inverse, LOWEST - zero, HIGHEST - zero, one / inverse)


def scaled_statically(x: Array, scale: float, zero_point: int) -> Scaled:
    """Static activations `[rows, inputs]`: one scale and zero point for all."""
    unit = np.full((len(x), 1), scale, np.float32)
    low, high = (np.full_like(unit, end - zero_point) for end in (LOWEST, HIGHEST))
    return Scaled(x * (np.float32(1) / np.float32(scale)), low, high, unit)


def other_roundings(row: Scaled) -> Iterator[Array]:
    """The other integers `[1, inputs]` that a row may become; none without activations on an edge.

    An edge of the zero point is none here: it moves nothing but the ends of the range.
    """
    values = row.values[0]
    middle = np.floor(values) + np.float32(0.5)
    near = np.abs(values - middle) <= ULPS * np.spacing(np.abs(values))
    (edges,) = np.nonzero(near)
    plain = np.rint(values)
    if 0 < len(edges) <= MOST_EDGES:
        for choice in itertools.product((False, True), repeat=len(edges)):
            turned, flipped = plain.copy(), edges[list(choice)]
            turned[flipped] = 2 * middle[flipped] - plain[flipped]
            if len(flipped):
                yield np.clip(turned[None], row.low, row.high)
    elif len(edges):
        turned = plain.copy()
        turned[edges] = np.trunc(values[edges]) + np.sign(values[edges])  # all away from zero
        yield np.clip(turned[None], row.low, row.high)
