"""Activations whose range is fixed in training, as in a static int8 product of LiteRT.

The input of a product and its output have a range each, of the whole tensor: the device
quantizes the input, multiplies integers, adds the bias as an integer, and rounds the sum to
int8 again. Per tensor, `x ~ (q - z) * s` with `q` in -128 ... 127 (Jacob et al., 2018).

Ranges are averaged in training, or trained with the weights: the gradient of a trained one is
that of its scale, rounding passed straight through (LSQ+, Bhalgat et al., 2020).
"""

import dataclasses

import tensorflow as tf

from asr_qat.quantize.numerics import integer_range, round_straight_through

BITS = 8
MOMENTUM = 0.99  # of averaged ranges, by step


@dataclasses.dataclass(eq=False)
class StaticRange:
    """The range of one tensor.

    Attributes:
        low: float32 scalar variable.
        high: float32 scalar variable.
        average: the next call moves the range towards that of its tensor.
    """

    low: tf.Variable
    high: tf.Variable
    average: bool

    def observe(self, x: tf.Tensor) -> None:
        """Move an averaged range towards that of `x`."""
        if not self.average:
            return
        for variable, now in ((self.low, tf.reduce_min(x)), (self.high, tf.reduce_max(x))):
            variable.assign_sub((1.0 - MOMENTUM) * (variable - tf.stop_gradient(now)))

    def parameters(self) -> tuple[tf.Tensor, tf.Tensor]:
        """Scale and zero point, float32 scalars; the range is widened to hold zero."""
        return range_parameters(self.low, self.high)


def range_parameters(low: tf.Variable, high: tf.Variable) -> tuple[tf.Tensor, tf.Tensor]:
    """Scale and zero point of the range from `low` to `high`, widened to hold zero."""
    smallest, largest = integer_range(BITS)
    low, high = tf.minimum(low, 0.0), tf.maximum(high, 0.0)
    scale = tf.maximum((high - low) / (largest - smallest), 1e-9)
    zero_point = tf.clip_by_value(tf.round(smallest - low / scale), smallest, largest)
    return scale, tf.stop_gradient(zero_point)


def quantize_static(
    x: tf.Tensor, scale: tf.Tensor, zero_point: tf.Tensor, rounded: tf.Tensor | None = None
) -> tf.Tensor:
    """Int8 of `x`, the zero point subtracted; the gradient passes straight through the rounding.

    Values beyond the range become its ends, and get no gradient.

    Args:
        x: float32.
        scale: of the range.
        zero_point: of the range.
        rounded: `round(x / scale)`, where it was computed in another order; else as LiteRT does,
            with the reciprocal of the scale.
    """
    smallest, largest = integer_range(BITS)
    if rounded is None:
        integers = round_straight_through(x * (1.0 / scale))
    else:
        integers = x / scale
        integers += tf.stop_gradient(rounded - integers)
    return tf.clip_by_value(integers, smallest - zero_point, largest - zero_point)


@dataclasses.dataclass(eq=False)
class StaticRanges:
    """Ranges of the input and the output of a product."""

    input: StaticRange
    output: StaticRange

    def dense(
        self,
        x: tf.Tensor,
        integers: tf.Tensor,
        scale: tf.Tensor,
        bias: tf.Tensor | None,
        rectify: bool,
        native: bool,
    ) -> tf.Tensor:
        """The layer as the device computes it.

        `acc = q(x) @ integers + round(bias / (s_in scale))`,
        `y = (clip(round(acc * s_in scale / s_out) + z_out) - z_out) * s_out`;
        a rectifier between the two is a bound of the clipping.

        Args:
            x: float32 `[rows, input]`.
            integers: float32 `[input, output]`, whole numbers.
            scale: float32 `[output]`, of the weights.
            bias: float32 `[output]`, or None.
            rectify: apply `max(y, 0)` before the output is rounded.
            native: multiply integers, or rounded values.

        Returns:
            float32 `[rows, output]`, values on the grid of the output's range.
        """
        self.input.observe(x)
        in_scale, in_zero = self.input.parameters()
        rows = quantize_static(x, in_scale, in_zero)
        unit = in_scale * scale
        if native:
            sums = tf.matmul(rows, integers)
            if bias is not None:
                sums += round_straight_through(bias / unit)
            # A rectifier does the same to integers and to what they stand for.
            sums = tf.nn.relu(sums) if rectify else sums
            y = sums * unit
        else:
            y = tf.matmul(rows * in_scale, integers * scale)
            y = y if bias is None else tf.nn.bias_add(y, bias)
            y = tf.nn.relu(y) if rectify else y
        self.output.observe(y)
        out_scale, out_zero = self.output.parameters()
        if not native:
            return quantize_static(y, out_scale, out_zero) * out_scale
        exact = tf.round(sums * (unit / out_scale))  # as the device rescales: once
        return quantize_static(y, out_scale, out_zero, exact) * out_scale
