"""Scales and rounding, with straight-through gradients.

Integers are carried in float32 tensors: sums of integer products are exact below 2^24,
that is up to 2^24 / (255 * 7) = 9,398 input channels at w4a8.
"""

import tensorflow as tf


@tf.custom_gradient
def round_straight_through(x: tf.Tensor) -> tf.Tensor:
    """`round(x)`, half to even; its gradient is that of `x`."""
    return tf.round(x), lambda upstream: upstream


@tf.custom_gradient
def sign_straight_through(x: tf.Tensor) -> tf.Tensor:
    """1 where `x` is at least 0, else -1; its gradient is that of `x`."""
    ones = tf.ones_like(x)
    return tf.where(x >= 0, ones, -ones), lambda upstream: upstream


Axes = int | tuple[int, ...]


def row_parameters(x: tf.Tensor, bits: int = 8, axes: Axes = -1) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale and zero point of each row, as LiteRT's dynamic kernels (XNNPACK) compute them.

    The range of a row is widened to hold zero and mapped to the 255 steps of int8. LiteRT knows
    no other width; fewer bits have fewer steps of the same kind.

    Args:
        x: float32 `[..., channels]`.
        bits: width of the integers.
        axes: of a row, whose values share a scale.

    Returns:
        Inverse scale and zero point, float32 `[..., 1]`, of length 1 along `axes`.
    """
    smallest, largest = integer_range(bits)
    low = tf.minimum(tf.reduce_min(x, axis=axes, keepdims=True), 0.0)
    high = tf.maximum(tf.reduce_max(x, axis=axes, keepdims=True), 0.0)
    empty = low == high
    inverse = tf.where(empty, 1.0, (largest - smallest) / tf.where(empty, 1.0, high - low))
    from_low, from_high = smallest - low * inverse, largest - high * inverse
    zero_point = tf.where(low * inverse + high * inverse - 1.0 > 0, from_low, from_high)
    return inverse, tf.round(tf.clip_by_value(zero_point, smallest, largest))


def quantize_rows(x: tf.Tensor, bits: int = 8, axes: Axes = -1) -> tuple[tf.Tensor, tf.Tensor]:
    """Integers of each row, its zero point subtracted.

    Args:
        x: float32 `[..., channels]`.
        bits: width of the integers.
        axes: of a row, whose values share a scale.

    Returns:
        Integers `[..., channels]`, at 8 bits in [-255, 255], and scales `[..., 1]`, both float32:
        `x ~ integers * scales`. No gradient is defined: see `asr_qat.quantize.products`.
    """
    smallest, largest = integer_range(bits)
    inverse, zero_point = row_parameters(x, bits, axes)
    integers = tf.clip_by_value(tf.round(x * inverse), smallest - zero_point, largest - zero_point)
    return integers, 1.0 / inverse


def quantize_straight_through(
    x: tf.Tensor, bits: int = 8, axes: Axes = -1
) -> tuple[tf.Tensor, tf.Tensor]:
    """As `quantize_rows`; the gradient of the integers is that of `x / scales`, scales constant."""
    integers, scales = quantize_rows(tf.stop_gradient(x), bits, axes)
    seen = x / scales
    return seen + tf.stop_gradient(integers - seen), scales


def integer_range(bits: int) -> tuple[float, float]:
    """Smallest and largest signed integer of a width."""
    return -(2.0 ** (bits - 1)), 2.0 ** (bits - 1) - 1
