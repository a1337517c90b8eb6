"""From float weights to the integers of a precision: which grid, and where each weight falls on it.

A weight is `integers * scale`, plus an offset if asymmetric. All the grids of
`asr_qat.quantize.precision`, with L = 2^(bits-1) - 1 and the reductions over the inputs of a
channel, or of a block of them:

| grid      | scale                                | integers                        | keeps      |
|-----------|--------------------------------------|---------------------------------|------------|
| max       | max abs(w) / L                       | -L ... L                        | 0, the max |
| aqt       | max abs(w) / (L + 1/2)               | -L ... L                        | 0          |
| clip      | c max abs(w) / L, c by search        | -L ... L                        | 0          |
| learned   | a trained variable                   | -L ... L                        | 0          |
| one bit   | mean abs(w), or a trained variable   | -1, 1: the sign                 | the sum of |
|           |                                      |                                 | magnitudes |
| asym      | (max w - min w) / (2^bits - 1)       | -L-1 ... L, offset so that the  | min, max   |
|           |                                      | smallest one stands for min w   |            |

The bound of AQT is that of Ding et al. (2022), where the largest weight comes back as
L / (L + 1/2) of itself; asymmetric, sub-channel and clipped grids are those of Rybakov et al.
(2023, arXiv 2305.16619). The mean magnitude is the scale at which signs have the least sum of
squared errors (Rastegari et al., 2016, arXiv 1603.05279). Learned scales have the gradient of LSQ
(Esser et al., 2020). Scales of blocks are bfloat16 numbers, in which the device multiplies.
"""

import dataclasses

import tensorflow as tf

from asr_qat.quantize.numerics import (
    integer_range,
    round_straight_through,
    sign_straight_through,
)
from asr_qat.quantize.precision import Precision

SHARES = tuple(round(1.0 - 0.05 * i, 2) for i in range(15))  # of a range, in the search
LEAST_BLOCK_SCALE = 2.0**-17  # a bfloat16 that float16, in which the file holds it, has too
LEAST_ONE_BIT_SCALE = 2.0**-64  # of a channel of zeros, which one bit does not have


@dataclasses.dataclass(frozen=True)
class Grid:
    """The values that the weights of a channel, or of a block of one, may have.

    Attributes:
        scale: float32 `[1, output]`, or `[blocks, 1, output]`.
        offset: of the same shape, or None for 0.
    """

    scale: tf.Tensor
    offset: tf.Tensor | None = None


def blocks_of(weights: tf.Tensor, block: int | None) -> tf.Tensor:
    """`[..., output]` as a matrix `[input, output]`, or as `[blocks, block, output]`."""
    rows = [-1] if block is None else [-1, block]
    return tf.reshape(weights, [*rows, weights.shape[-1]])


def largest_integer(bits: int) -> float:
    """The largest magnitude on a symmetric grid."""
    return 2.0 ** (bits - 1) - 1


def grid_of(weights: tf.Tensor, precision: Precision, share: tf.Tensor | float = 1.0) -> Grid:
    """The grid that the range of the weights gives; a constant for the gradient.

    Args:
        weights: float32 `[..., input, output]`.
        precision: its width, symmetry and range.
        share: of the range that the grid spans, at most 1; it broadcasts to `[..., 1, output]`.
    """
    weights = tf.stop_gradient(weights)
    if precision.asymmetric:
        low = share * tf.reduce_min(weights, axis=-2, keepdims=True)
        high = share * tf.reduce_max(weights, axis=-2, keepdims=True)
        scale = _positive((high - low) / (2.0**precision.weight_bits - 1))
        scale = device_scale(scale, precision)
        return Grid(scale, low - integer_range(precision.weight_bits)[0] * scale)
    if precision.one_bit:
        scale = share * tf.reduce_mean(tf.abs(weights), axis=-2, keepdims=True)
        return Grid(device_scale(tf.maximum(scale, LEAST_ONE_BIT_SCALE), precision))
    bound = largest_integer(precision.weight_bits) + (0.5 if precision.range == "aqt" else 0.0)
    # Not of the absolute values, which would be written to memory.
    high = tf.reduce_max(weights, axis=-2, keepdims=True)
    reach = share * tf.maximum(high, -tf.reduce_min(weights, axis=-2, keepdims=True))
    return Grid(device_scale(_positive(reach / bound), precision))


def device_scale(scale: tf.Tensor, precision: Precision) -> tf.Tensor:
    """The scale as the device has it; rounding passes the gradient straight through."""
    if precision.block is None:
        return scale
    scale = tf.maximum(scale, LEAST_BLOCK_SCALE)
    rounded = tf.cast(tf.cast(scale, tf.bfloat16), tf.float32)
    return scale + tf.stop_gradient(rounded - scale)


def on_grid(weights: tf.Tensor, grid: Grid, precision: Precision) -> tf.Tensor:
    """The integers of `weights` `[..., input, output]` on a grid.

    The gradient passes straight through the rounding, and is zero for weights beyond the grid. At
    one bit none is beyond: the gradient passes to all of them, and that of a learned scale is the
    exact one, since signs do not depend on it.
    """
    if precision.one_bit:
        return sign_straight_through(weights / tf.stop_gradient(grid.scale))
    shifted = weights if grid.offset is None else weights - grid.offset
    smallest, largest = integer_range(precision.weight_bits)
    smallest = smallest if precision.asymmetric else -largest
    integers = round_straight_through(shifted / grid.scale)
    if precision.range == "max" and not (precision.asymmetric or precision.block):
        return integers  # none is beyond
    return tf.clip_by_value(integers, smallest, largest)


def values(integers: tf.Tensor, grid: Grid) -> tf.Tensor:
    """What the integers `[..., input, output]` stand for."""
    scaled = integers * grid.scale
    return scaled if grid.offset is None else scaled + grid.offset


def best_share(weights: tf.Tensor, precision: Precision) -> tf.Tensor:
    """The share of each range whose grid has the least sum of absolute errors.

    Args:
        weights: float32 `[..., input, output]`.
        precision: its width and symmetry.

    Returns:
        float32 `[..., 1, output]`, each one of `SHARES`; 1 at one bit, where no other is better.
    """
    if precision.one_bit:
        return tf.ones_like(weights[..., :1, :])

    def error(share: float) -> tf.Tensor:
        grid = grid_of(weights, precision, share)
        rounded = values(on_grid(weights, grid, precision), grid)
        return tf.reduce_sum(tf.abs(rounded - weights), axis=-2, keepdims=True)

    errors = tf.stack([error(share) for share in SHARES])
    return tf.gather(tf.constant(SHARES), tf.argmin(errors))


def _positive(scale: tf.Tensor) -> tf.Tensor:
    return tf.where(scale > 0, scale, tf.ones_like(scale))
