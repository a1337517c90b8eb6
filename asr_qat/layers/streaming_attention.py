"""Attention of a few frames of a stream to their past and future context."""

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat.layers.relative_attention import MASKED, RelativeAttention, sinusoids


class RelativeDistances(keras.layers.Layer):
    """Sinusoids of the relative positions `past` ... `-future`: all that a frame attends to.

    The rows are those of `RelativePositions` with the same positions.

    Args:
        past: past frames that a frame attends to.
        future: future frames that it attends to.
        dim: channels.

    Call arguments:
        one: float32 `[1]`, a one that is known at run time only: a converter would project a
            constant table once per layer, in float.

    Returns:
        float32 `[1, past + 1 + future, dim]`.
    """

    def __init__(self, past: int, future: int, dim: int, **kwargs):
        super().__init__(**kwargs)
        self.past = past
        self.future = future
        self.dim = dim

    def call(self, inputs):
        positions = tf.range(self.past, -self.future - 1, -1)
        return sinusoids(tf.cast(positions, tf.float32) * inputs, self.dim)

    def get_config(self):
        own = {"past": self.past, "future": self.future, "dim": self.dim}
        return {**super().get_config(), **own}


class StreamingAttention(keras.layers.Layer):
    """What a `RelativeAttention` with a limited context does, for some frames of a stream.

    Args:
        attention: its weights are used, its context is that of the arguments.

    Call arguments:
        query: `[1, time, dim]`, consecutive frames.
        key, value: `[1, past + time + future, dim]`, the same frames with their context.
        position: `[1, past + 1 + future, dim]`, from `RelativeDistances` through the Dense
            layer of the positions.
        mask: `[1, past + time + future]`, 1 for a valid frame.

    Returns:
        `[1, time, dim]`.
    """

    def __init__(self, attention: RelativeAttention, **kwargs):
        super().__init__(**kwargs)
        self.attention = attention

    def call(self, inputs):
        *projected, mask = inputs
        query, key, value, position = (self.attention.split(x) for x in projected)
        content, relative = self.attention.scores(query, key, position)
        beyond = query.shape[2] - 1  # distances that only other frames of the chunk attend to
        if beyond:
            # Not a padding of that value, which XNNPACK leaves to a slower kernel.
            outside = np.full(relative.shape[3] + 2 * beyond, MASKED, np.float32)
            outside[beyond:-beyond] = 0.0
            relative = tf.pad(relative, [[0, 0], [0, 0], [0, 0], [beyond, beyond]]) + outside
        return self.attention.attended(content, relative, value, mask)
