"""The patches of a convolution: a dense product with them has weights of any width.

LiteRT has no delegated convolution with 4-bit or 2-bit weights.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.stock.masks import kernel_free
from asr_qat.quantize.stock.shapes import lengths


@kernel_free
class Patches(keras.layers.Layer):
    """What a kernel sees at each place: shifted slices of the input, one after the other.

    Args:
        kernel_size: elements in each direction: one number, or two.
        strides: as many.
        padding: `same`, `valid`, or in one direction `causal`.
        dilation_rate: as many.

    Call arguments:
        inputs: `[batch, ..., channels]`.

    Returns:
        `[batch, ..., elements * channels]`, in the order of the kernel.
    """

    def __init__(
        self,
        kernel_size: Sequence[int],
        strides: Sequence[int],
        padding: str,
        dilation_rate: Sequence[int],
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.kernel_size = tuple(kernel_size)
        self.strides = tuple(strides)
        self.padding = padding
        self.dilation_rate = tuple(dilation_rate)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        directions = range(len(self.kernel_size))
        x = inputs
        if self.padding != "valid":
            borders = [self._border(inputs, i) for i in directions]
            x = tf.pad(x, [[0, 0], *borders, [0, 0]])
        places = [lengths(x)[i + 1] - self._reach(i) for i in directions]
        shifts = itertools.product(*(range(size) for size in self.kernel_size))
        return tf.concat([self._slice(x, shift, places) for shift in shifts], axis=-1)

    def _slice(self, x: tf.Tensor, shift: Sequence[int], places: Sequence[Any]) -> tf.Tensor:
        """What one element of the kernel sees."""
        found = [slice(None)]
        for i, (place, length) in enumerate(zip(shift, places, strict=True)):
            first = place * self.dilation_rate[i]
            found.append(slice(first, first + length, self.strides[i]))
        return x[tuple(found)]

    def _reach(self, direction: int) -> int:
        """How far the last element is from the first."""
        return self.dilation_rate[direction] * (self.kernel_size[direction] - 1)

    def _border(self, x: tf.Tensor, direction: int) -> list[Any]:
        """Zeros before and after, as of `tf.nn.convolution`."""
        reach, stride = self._reach(direction), self.strides[direction]
        if self.padding == "causal":
            return [reach, 0]
        length = lengths(x)[direction + 1]
        last = (length - 1) // stride * stride  # place of the last output
        both = last + reach + 1 - length
        both = tf.maximum(both, 0) if tf.is_tensor(both) else max(both, 0)
        return [both // 2, both - both // 2]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
        }
