"""Rounding by the error of the outputs: each weight makes up for those that were rounded before.

What counts is what a product gives on inputs `x` as they occur, so the error of a channel's weights
is `e' H e` with `H = mean(x x')`, and not `e' e`. Three steps make it small:

1. the range of the grid is that of least error, inputs taken to be independent;
2. GPTQ (Frantar et al., 2022, arXiv 2210.17323): weights are rounded one input after the other,
   those with the most energy first, and the error of each is spread over the inputs that are left,
   `w[j] -= e[i] U[i, j] / U[i, i]` with `H^-1 = U' U`, U upper triangular;
3. coordinate descent (as QuantEase, Behdin et al., 2023, arXiv 2309.01885): each integer becomes
   the best one, all others given, in turn with scales that are fitted to the integers.

Instead of the second step, weights can be rounded up or down by gradient descent (AdaRound, see
`asr_qat.quantize.learned_rounding`), or to the nearest value.

All of it in blocks of inputs, so that most of it is products of matrices. No channel ends up worse
than by rounding to the nearest value.
"""

import dataclasses
from typing import Literal

import numpy as np
import tensorflow as tf

from asr_qat.arrays import Array
from asr_qat.quantize.grids import Grid, blocks_of, grid_of, largest_integer, on_grid, values
from asr_qat.quantize.learned_rounding import learned_rounding
from asr_qat.quantize.numerics import integer_range
from asr_qat.quantize.precision import Precision

AT_ONCE = 128  # inputs whose errors are spread together
SHARES = tuple(np.linspace(1.0, 0.2, 21).round(2).tolist())  # of a range, in the search
ROUNDS = 4  # of coordinate descent
Rounding = Literal["gptq", "adaround", "nearest"]  # what the descent starts from


@dataclasses.dataclass(frozen=True)
class Rounded:
    """A kernel on its grid.

    Attributes:
        values: float32 `[input, output]`, what the integers stand for.
        grid: theirs.
    """

    values: Array
    grid: Grid


def second_order(
    weights: Array,
    moment: Array,
    precision: Precision,
    target: Array | None = None,
    rounding: Rounding = "gptq",
) -> Rounded:
    """Round a kernel for the inputs that it sees.

    Args:
        weights: float32 `[input, output]`.
        moment: float64 `[input, input]`, the mean of `x x'` over the inputs; positive definite.
        precision: of the kernel.
        target: float32 `[input, output]` whose outputs are wanted; None for `weights`.
        rounding: how weights are rounded before the coordinate descent; after `nearest` there is
            none.
    """
    target = weights if target is None else target
    order = np.argsort(-np.diag(moment), kind="stable")
    sorted_moment, wanted = moment[np.ix_(order, order)], target[order].astype(np.float64)
    grid = least_error_grid(target, np.diag(moment), precision)
    steps = _Steps.of(grid, precision, order)
    integers = _integers(wanted, steps, sorted_moment, rounding)
    if rounding == "nearest":
        found = Rounded(np.empty_like(weights), grid)
        found.values[order] = steps.values(integers)
        return found
    for _ in range(ROUNDS):
        _descend(integers, wanted, steps, sorted_moment)
        if precision.block is None:
            grid = _fitted(integers, wanted, grid, sorted_moment)
            steps = _Steps.of(grid, precision, order)
    _descend(integers, wanted, steps, sorted_moment)
    found = Rounded(np.empty_like(weights), grid)
    found.values[order] = steps.values(integers)
    return _better(found, nearest(weights, precision), target, moment)


def nearest(weights: Array, precision: Precision) -> Rounded:
    """The kernel `[input, output]` rounded to the nearest values of its whole range."""
    plain = dataclasses.replace(precision, range="max")
    blocks = _in_blocks(weights, plain)
    grid = grid_of(blocks, plain)
    found = values(on_grid(blocks, grid, plain), grid)
    return Rounded(np.reshape(found, weights.shape), grid)


def least_error_grid(weights: Array, energy: Array, precision: Precision) -> Grid:
    """The grid whose rounding changes the outputs least, inputs taken to be independent.

    Args:
        weights: float32 `[input, output]`.
        energy: `[input]`, the mean square of each input.
        precision: of the kernel.
    """
    searched = precision.searched
    blocks = _in_blocks(weights, precision)
    importance = tf.reshape(tf.constant(energy, tf.float32), [*blocks.shape[:-1], 1])

    def error(share: float) -> tf.Tensor:
        grid = grid_of(blocks, searched, share)
        off = values(on_grid(blocks, grid, searched), grid) - blocks
        return tf.reduce_sum(importance * off * off, axis=-2, keepdims=True)

    best = tf.argmin(tf.stack([error(share) for share in SHARES]))
    return grid_of(blocks, searched, tf.gather(tf.constant(SHARES, tf.float32), best))


@dataclasses.dataclass(frozen=True)
class _Steps:
    """A grid by input: `[input, output]`, or `[1, output]` of all, and its integers' bounds.

    One bit has no integer between them.
    """

    scale: Array
    offset: Array
    smallest: float
    largest: float
    one_bit: bool

    @classmethod
    def of(cls, grid: Grid, precision: Precision, order: Array) -> "_Steps":
        """Of a precision's grid, the inputs put in an order."""

        def by_input(part: tf.Tensor | None) -> Array:
            if part is None:
                return np.zeros((len(order), 1))
            rows = np.reshape(part, [-1, part.shape[-1]]).astype(np.float64)
            found: Array = np.repeat(rows, len(order) // len(rows), axis=0)[order]
            return found

        largest = 1.0 if precision.one_bit else largest_integer(precision.weight_bits)
        smallest = integer_range(precision.weight_bits)[0] if precision.asymmetric else -largest
        scale, offset = by_input(grid.scale), by_input(grid.offset)
        return cls(scale, offset, smallest, largest, precision.one_bit)

    def nearest(self, weights: Array, i: int) -> Array:
        """The integers nearest to the weights `[output]` of an input."""
        if self.one_bit:
            return np.where(weights >= 0, self.largest, self.smallest)
        found = np.rint((weights - self.offset[i]) / self.scale[i])
        inside: Array = np.clip(found, self.smallest, self.largest)
        return inside

    def values(self, integers: Array, i: int | slice = slice(None)) -> Array:
        """What integers stand for: those `[output]` of an input, or of all."""
        found: Array = integers * self.scale[i] + self.offset[i]
        return found


def _integers(weights: Array, steps: _Steps, moment: Array, rounding: Rounding) -> Array:
    """Integers before the descent, the inputs in the order in which they are rounded."""
    if rounding == "gptq":
        return _spread(weights, steps, moment)
    if rounding == "nearest" or steps.one_bit:  # of two values, the nearest is above or below
        return np.stack([steps.nearest(row, i) for i, row in enumerate(weights)])
    below = np.floor((weights - steps.offset) / steps.scale)
    low, high = (np.clip(below + up, steps.smallest, steps.largest) for up in (0, 1))
    up = learned_rounding(weights, steps.values(low), steps.values(high), moment)
    return np.where(up, high, low)


def _spread(weights: Array, steps: _Steps, moment: Array) -> Array:
    """Integers by GPTQ, the inputs in the order in which they are rounded."""
    factor = np.linalg.cholesky(np.linalg.inv(moment)).T
    left, integers = weights.copy(), np.empty_like(weights)
    for start in range(0, len(weights), AT_ONCE):
        stop = min(start + AT_ONCE, len(weights))
        errors = np.empty((stop - start, weights.shape[1]))
        for i in range(start, stop):
            integers[i] = steps.nearest(left[i], i)
            errors[i - start] = (left[i] - steps.values(integers[i], i)) / factor[i, i]
            left[i + 1 : stop] -= np.outer(factor[i, i + 1 : stop], errors[i - start])
        left[stop:] -= factor[start:stop, stop:].T @ errors
    return integers


def _descend(integers: Array, weights: Array, steps: _Steps, moment: Array) -> None:
    """Give each integer in turn its best value, all others given. In place."""
    error = steps.values(integers) - weights
    for start in range(0, len(weights), AT_ONCE):
        stop = min(start + AT_ONCE, len(weights))
        slope = moment[start:stop] @ error
        for i in range(start, stop):
            now = steps.values(integers[i], i)
            best = steps.nearest(now - slope[i - start] / moment[i, i], i)
            change = (best - integers[i]) * steps.scale[i]
            integers[i] = best
            error[i] += change
            slope[i + 1 - start :] += np.outer(moment[i + 1 : stop, i], change)


def _fitted(integers: Array, weights: Array, grid: Grid, moment: Array) -> Grid:
    """The grid of one scale for a channel, and one offset, with which the integers err least."""
    seen, wanted = moment @ integers, moment @ weights
    square, product = (integers * seen).sum(axis=0), (integers * wanted).sum(axis=0)
    if grid.offset is None:
        scale, offset = product / np.where(square > 0, square, 1.0), None
    else:
        ones, cross, along = moment.sum(), seen.sum(axis=0), wanted.sum(axis=0)
        against = square * ones - cross**2  # 0 where all integers are the same
        scale = (product * ones - cross * along) / np.where(against > 0, against, 1.0)
        offset = (along - scale * cross) / ones
    sound = tf.constant(scale > 0)

    def kept(new: Array | None, old: tf.Tensor | None) -> tf.Tensor | None:
        return None if new is None else tf.where(sound, tf.constant(new, tf.float32), old)

    return Grid(kept(scale, grid.scale), kept(offset, grid.offset))


def _better(found: Rounded, other: Rounded, target: Array, moment: Array) -> Rounded:
    """Channel by channel the one that errs less."""

    def error(rounded: Rounded) -> Array:
        off = rounded.values.astype(np.float64) - target
        errors: Array = (off * (moment @ off)).sum(axis=0)
        return errors

    keep = error(found) <= error(other)
    parts = [
        None if one is None else tf.where(keep, one, two)
        for one, two in (
            (found.grid.scale, other.grid.scale),
            (found.grid.offset, other.grid.offset),
        )
    ]
    return Rounded(np.where(keep, found.values, other.values), Grid(*parts))


def _in_blocks(weights: Array, precision: Precision) -> tf.Tensor:
    return blocks_of(tf.constant(weights, tf.float32), precision.block)
