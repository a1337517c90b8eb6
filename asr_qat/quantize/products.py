"""The product of inputs with quantized weights, native and fake.

Native is what the device does: multiply integers, then rescale the sum. Fake quantization
multiplies values that were rounded to the grid and converted back to float. Both have the
straight-through gradient of the float product of the rounded values.
"""

import dataclasses

import tensorflow as tf

from asr_qat.quantize.numerics import quantize_rows


@dataclasses.dataclass(eq=False)
class QuantizedKernel:
    """What a quantizer puts in the place of a Dense layer's kernel.

    Attributes:
        integers: float32 `[input, output]`, whole numbers.
        scale: float32 `[output]`.
        activation_bits: 8 for int8 inputs, None for float inputs.
        native: integer product, or fake quantization.
        weights: the float weights, used while `active` is false.
        active: boolean scalar, or None for always.
    """

    integers: tf.Tensor
    scale: tf.Tensor
    activation_bits: int | None
    native: bool
    weights: tf.Tensor
    active: tf.Tensor | None = None

    def product(self, x):
        """`x` `[..., input]` times the weights: `[..., output]`."""
        rows = tf.reshape(x, [-1, x.shape[-1]])
        if self.active is None:
            y = self._quantized(rows)
        else:
            y = tf.cond(
                self.active, lambda: self._quantized(rows), lambda: tf.matmul(rows, self.weights)
            )
        return tf.reshape(y, tf.concat([tf.shape(x)[:-1], [self.scale.shape[0]]], axis=0))

    def _quantized(self, rows):
        if self.native:
            return native_product(rows, self.integers, self.scale, self.activation_bits)
        return fake_product(rows, self.integers, self.scale, self.activation_bits)


def native_product(x, integers, scale, activation_bits: int | None):
    """Integer product, then rescaling.

    `y = (q(x) @ integers) * s(x) * scale` with `q`, `s` from `quantize_rows`; with float
    activations `q(x) = x`, `s(x) = 1`.

    Args:
        x: float32 `[rows, input]`.
        integers: float32 `[input, output]`, whole numbers.
        scale: float32 `[output]`.
        activation_bits: 8 or None.

    Returns:
        float32 `[rows, output]`. Gradient: that of `(q(x) s(x)) @ (integers scale)` with
        rounding passed straight through; an activation is never outside its row's range.
    """

    @tf.custom_gradient
    def product(x, integers):
        rows, row_scale = quantize_rows(x) if activation_bits else (x, None)
        y = tf.matmul(rows, integers)
        y = y * scale if row_scale is None else y * row_scale * scale

        def gradient(upstream):
            seen = rows if row_scale is None else rows * row_scale
            d_x = tf.matmul(upstream, integers * scale, transpose_b=True)
            d_integers = tf.matmul(seen, upstream, transpose_a=True) * scale
            return d_x, d_integers

        return y, gradient

    return product(x, integers)


def fake_product(x, integers, scale, activation_bits: int | None):
    """As `native_product`, but rounded values are multiplied in float."""
    if activation_bits:
        rows, row_scale = quantize_rows(tf.stop_gradient(x))
        x = x + tf.stop_gradient(rows * row_scale - x)
    return tf.matmul(x, integers * scale)
