"""Layers that change the shape of a tensor alone, with as few unknown lengths as there are."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.stock.masks import kernel_free


def lengths(x: tf.Tensor) -> list[Any]:
    """The length of each axis: a number if it is known, a scalar tensor if not."""
    known: list[Any] = x.shape.as_list()
    if None not in known:
        return known
    now = tf.unstack(tf.shape(x))
    return [now[i] if length is None else length for i, length in enumerate(known)]


def reshaped(x: tf.Tensor, shape: Sequence[Any]) -> tf.Tensor:
    """`x` in a shape of numbers and scalar tensors; one unknown length needs no arithmetic."""
    unknown = [i for i, length in enumerate(shape) if tf.is_tensor(length)]
    if len(unknown) == 1:
        shape = [-1 if i == unknown[0] else length for i, length in enumerate(shape)]
    return tf.reshape(x, shape)


@kernel_free
class ReshapeLast(keras.layers.Layer):
    """The last axes in another shape, those before them as they are.

    Args:
        axes: how many of the last axes.
        shape: what they become.
    """

    def __init__(self, axes: int, shape: Sequence[int], **kwargs: Any):
        super().__init__(**kwargs)
        self.axes = axes
        self.shape = list(shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return reshaped(inputs, [*lengths(inputs)[: -self.axes], *self.shape])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "axes": self.axes, "shape": self.shape}


@kernel_free
class StepsToBatch(keras.layers.Layer):
    """`[batch, steps, ...]` as `[batch * steps, ...]`."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        batch, steps, *others = lengths(inputs)
        return reshaped(inputs, [batch * steps, *others])


@kernel_free
class BatchToSteps(keras.layers.Layer):
    """The first of two tensors, `[batch * steps, ...]`, with the first two axes of the second."""

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        y, x = inputs
        batch, steps = lengths(x)[:2]
        return reshaped(y, [batch, steps, *lengths(y)[1:]])


@kernel_free
class ToImage(keras.layers.Layer):
    """`[batch, steps, channels]` as images of height 1: `[batch, 1, steps, channels]`.

    Args:
        before: zeros that are put before the first step.
    """

    def __init__(self, before: int = 0, **kwargs: Any):
        super().__init__(**kwargs)
        self.before = before

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        if self.before:
            inputs = tf.pad(inputs, [[0, 0], [self.before, 0], [0, 0]])
        return tf.expand_dims(inputs, 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "before": self.before}


@kernel_free
class FromImage(keras.layers.Layer):
    """Images of height 1 `[batch, 1, steps, channels]` as `[batch, steps, channels]`."""

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        return tf.squeeze(inputs, 1)
