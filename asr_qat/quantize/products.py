"""The product of inputs with quantized weights, native and fake.

Native is what the device does: multiply integers, then rescale the sum. Fake quantization
multiplies values that were rounded to the grid and converted back to float. Both have the
straight-through gradient of the float product of the rounded values.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.grids import Grid, values
from asr_qat.quantize.numerics import quantize_rows, quantize_straight_through
from asr_qat.quantize.static_ranges import StaticRanges

Function = Callable[[tf.Tensor], tf.Tensor]
Gradient = Callable[[tf.Tensor], tuple[tf.Tensor, ...]]  # of the output: one for each argument


@dataclasses.dataclass(eq=False)
class QuantizedKernel:
    """What a quantizer puts in place of a layer's kernel.

    Attributes:
        integers: float32 `[input, output]`, or `[blocks, block, output]`, whole numbers.
        grid: what they stand for.
        activation_bits: width of the inputs, None for float inputs.
        native: integer product, or fake quantization.
        weights: the float weights in their own shape, `[input, output]` of a Dense layer, used
            while `active` is false.
        active: boolean scalar, or None for always.
        ranges: of input and output, where they do not depend on the row; see `dense`.
        trained: the float weights, where the gradient goes to them directly; see
            `native_product`. None: it goes through `integers`.
    """

    integers: tf.Tensor
    grid: Grid
    activation_bits: int | None
    native: bool
    weights: tf.Tensor
    active: tf.Tensor | None = None
    ranges: StaticRanges | None = None
    trained: tf.Tensor | None = None

    def product(self, x: tf.Tensor) -> tf.Tensor:
        """`x` `[..., input]` times the weights: `[..., output]`."""
        return self._on_rows(x, self._quantized, lambda rows: tf.matmul(rows, self.weights))

    def dense(self, x: tf.Tensor, bias: tf.Tensor | None, activation: Function) -> tf.Tensor:
        """`activation(x @ weights + bias)`.

        With static ranges the output is on their grid: that of the activation if the device
        fuses it into the product, a rectifier, else what the activation is applied to.

        Args:
            x: float32 `[..., input]`.
            bias: float32 `[output]`, or None.
            activation: a function of Keras.
        """

        def finish(y: tf.Tensor) -> tf.Tensor:
            return activation(y if bias is None else tf.nn.bias_add(y, bias))

        if self.ranges is None:
            return finish(self.product(x))
        ranges, scale = self.ranges, self.grid.scale[0]
        fused = activation is keras.activations.relu

        def quantized(rows: tf.Tensor) -> tf.Tensor:
            y = ranges.dense(rows, self.integers, scale, bias, fused, self.native)
            return y if fused else activation(y)

        return self._on_rows(x, quantized, lambda rows: finish(tf.matmul(rows, self.weights)))

    def values(self) -> tf.Tensor:
        """The weights `[input, output]` themselves, rounded to what the integers stand for."""
        rounded = tf.reshape(values(self.integers, self.grid), self.weights.shape)
        return rounded if self.active is None else tf.where(self.active, rounded, self.weights)

    def _on_rows(self, x: tf.Tensor, quantized: Function, plain: Function) -> tf.Tensor:
        """Apply one of two functions of rows `[rows, input]` to `x` `[..., input]`."""
        rows = tf.reshape(x, [-1, x.shape[-1]])
        if self.active is None:
            y = quantized(rows)
        else:
            y = tf.cond(self.active, lambda: quantized(rows), lambda: plain(rows))
        return tf.reshape(y, tf.concat([tf.shape(x)[:-1], [self.weights.shape[1]]], axis=0))

    def _quantized(self, rows: tf.Tensor) -> tf.Tensor:
        given = (rows, self.integers, self.grid, self.activation_bits)
        if self.integers.shape.rank == 3:
            return native_block_product(*given) if self.native else fake_block_product(*given)
        return native_product(*given, self.trained) if self.native else fake_product(*given)


def native_product(
    x: tf.Tensor,
    integers: tf.Tensor,
    grid: Grid,
    activation_bits: int | None,
    weights: tf.Tensor | None = None,
) -> tf.Tensor:
    """Integer product, then rescaling.

    `y = (q(x) @ integers) * s(x) * scale` with `q`, `s` from `quantize_rows`; with float
    activations `q(x) = x`, `s(x) = 1`. An offset of the weights adds `sum(x) * offset`, the sum
    over the float inputs.

    Args:
        x: float32 `[rows, input]`.
        integers: float32 `[input, output]`, whole numbers.
        grid: scale and offset `[1, output]`.
        activation_bits: 8, 4 or None.
        weights: float32 `[input, output]`, none of them beyond the grid: the gradient of the
            product goes straight to them, and none to `integers` and `grid`. That of the scale
            and that of the division by it cancel: a large model saves three passes over its
            weights.

    Returns:
        float32 `[rows, output]`. Gradient: that of `(q(x) s(x)) @ (integers scale)` with
        rounding passed straight through; an activation is never outside its row's range.
    """

    def forward(x: tf.Tensor, integers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor | None, tf.Tensor]:
        rows, row_scale = quantize_rows(x, activation_bits) if activation_bits else (x, None)
        sums = tf.matmul(rows, integers)
        return rows, row_scale, sums if row_scale is None else sums * row_scale

    @tf.custom_gradient
    def product(x: tf.Tensor, integers: tf.Tensor, scale: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        rows, row_scale, sums = forward(x, integers)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            seen = rows if row_scale is None else rows * row_scale
            scaled = upstream * scale
            d_x = tf.matmul(scaled, integers, transpose_b=True)
            d_integers = tf.matmul(seen, scaled, transpose_a=True)
            return d_x, d_integers, tf.reduce_sum(upstream * sums, axis=0, keepdims=True)

        return sums * scale, gradient

    @tf.custom_gradient
    def product_of_weights(x: tf.Tensor, weights: tf.Tensor) -> tuple[tf.Tensor, Gradient]:
        rows, row_scale, sums = forward(x, integers)

        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, ...]:
            seen = rows if row_scale is None else rows * row_scale
            d_x = tf.matmul(upstream * grid.scale, integers, transpose_b=True)
            return d_x, tf.matmul(seen, upstream, transpose_a=True)

        return sums * grid.scale, gradient

    if weights is not None:
        return product_of_weights(x, weights)
    y = product(x, integers, grid.scale)
    if grid.offset is None:
        return y
    return y + tf.reduce_sum(x, axis=-1, keepdims=True) * grid.offset


def native_block_product(
    x: tf.Tensor, integers: tf.Tensor, grid: Grid, activation_bits: int | None
) -> tf.Tensor:
    """As `native_product`, the integer sum of each block of inputs rescaled by its own scale.

    Args:
        x: float32 `[rows, input]`; the scale of a row is that of all its inputs.
        integers: float32 `[blocks, block, output]`, whole numbers.
        grid: scale and offset `[blocks, 1, output]`.
        activation_bits: 8, 4 or None.
    """
    seen = x
    if activation_bits:
        seen, row_scale = quantize_straight_through(x, activation_bits)
    sums = tf.matmul(_blocked(seen, integers), integers) * grid.scale
    y = tf.reduce_sum(sums, axis=0)
    y = y * row_scale if activation_bits else y
    if grid.offset is None:
        return y
    totals = tf.reduce_sum(_blocked(x, integers), axis=-1)  # [blocks, rows]
    return y + tf.matmul(totals, grid.offset[:, 0], transpose_a=True)


def fake_product(
    x: tf.Tensor, integers: tf.Tensor, grid: Grid, activation_bits: int | None
) -> tf.Tensor:
    """As `native_product`, but rounded values are multiplied in float."""
    return tf.matmul(_fake_rows(x, activation_bits), values(integers, grid))


def fake_block_product(
    x: tf.Tensor, integers: tf.Tensor, grid: Grid, activation_bits: int | None
) -> tf.Tensor:
    """As `native_block_product`, but rounded values are multiplied in float."""
    weights = tf.reshape(values(integers, grid), [x.shape[-1], integers.shape[-1]])
    return tf.matmul(_fake_rows(x, activation_bits), weights)


def _fake_rows(x: tf.Tensor, activation_bits: int | None) -> tf.Tensor:
    if not activation_bits:
        return x
    rows, row_scale = quantize_rows(tf.stop_gradient(x), activation_bits)
    return x + tf.stop_gradient(rows * row_scale - x)


def _blocked(rows: tf.Tensor, integers: tf.Tensor) -> tf.Tensor:
    """Rows `[rows, input]` in the blocks of the weights: `[blocks, rows, block]`."""
    blocks, block, _ = integers.shape
    return tf.transpose(tf.reshape(rows, [-1, blocks, block]), [1, 0, 2])
