"""The kernel of a product in a graph that is exported: the integers are not in it yet."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow import keras


@dataclasses.dataclass(eq=False)
class DeviceKernel:
    """What an exporter puts in place of a layer's kernel: an input of its graph.

    A converter merges factors and normalisations into constants. Of an input it knows nothing, so
    it leaves the kernel alone. The integers take the input's place in the finished file.

    It also moves what is added before a product behind it, since `(x + b) @ k = x @ k + b @ k`; but
    not with quantized activations, which would then be those of another input. So the product reads
    its input times the `fence`, a one that the converter does not know either.

    Attributes:
        weights: the input, float32 in the layer's `device_shape`: `[output, input]` of a dense
            product.
        fence: an input of the graph, float32 scalar; the exporter takes its products out again.
        offset: float32 `[output]` of an asymmetric grid, or None.
        static: the output is rounded to a fixed range. It gets the fence, too: the converter would
            make what is added behind it a part of the bias, and the range is not that of the sum.
    """

    weights: tf.Tensor
    fence: tf.Tensor
    offset: tf.Tensor | None = None
    static: bool = False

    def product(self, x: tf.Tensor) -> tf.Tensor:
        """`x` `[..., input]` times the weights: `[..., output]`."""
        return self.dense(x, None, tf.identity)

    def dense(
        self, x: tf.Tensor, bias: tf.Tensor | None, activation: Callable[[tf.Tensor], Any]
    ) -> Any:
        """`activation(x @ weights + bias)`, as of `QuantizedKernel`."""
        rows = tf.reshape(self.fenced(x), [-1, x.shape[-1]])
        y = tf.matmul(rows, self.weights, transpose_b=True)
        if bias is not None:
            y = tf.nn.bias_add(y, bias)
        y = self._with_offset(_like(x, y), x)
        if not self.static:
            return activation(y)
        if activation is keras.activations.relu:  # before the rounding, as of `QuantizedKernel`
            return self.fenced(activation(y))
        return activation(self.fenced(y))

    def rows(self, ids: tf.Tensor) -> tf.Tensor:
        """Rows of a table, as of `QuantizedRows`."""
        return tf.gather(self.weights, ids)

    def values(self) -> tf.Tensor:
        """The weights themselves, as of `QuantizedKernel`."""
        return self.weights

    def fenced(self, x: tf.Tensor) -> tf.Tensor:
        """The input of a product, or its output, as the converter is to see it."""
        return x * self.fence

    def _with_offset(self, y: tf.Tensor, x: tf.Tensor) -> tf.Tensor:
        if self.offset is None:
            return y
        return y + tf.reduce_sum(x, axis=-1, keepdims=True) * self.offset


def _like(x: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
    """Rows `[rows, output]` in the shape of `x` `[..., input]`: `[..., output]`."""
    before = x.shape[:-1]
    if before.is_fully_defined():
        return tf.reshape(rows, [*before, rows.shape[-1]])
    return tf.reshape(rows, tf.concat([tf.shape(x)[:-1], [rows.shape[-1]]], axis=0))
