"""Self-attention with relative positions, without weights for its projections.

The projections are Dense layers of their own, so that each has a name, a precision and a
place in the exported file. Transformer-XL (Dai et al., 2019), section 3.3.
"""

import math

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat.layers.dropout import Dropout

MASKED = -1e9  # added to the score of a padded or distant frame

# Frames on either side that a frame attends to; or those past and those to come; or all.
AttentionContext = int | tuple[int, int] | None


class RelativePositions(keras.layers.Layer):
    """Sinusoids of the relative positions time-1 ... -(time-1).

    They are computed at run time from `lengths`: as constants, a converter would project
    them once per layer and store tables many times the size of the weights.

    Call arguments:
        frames: `[batch, time, dim]`, read for its shape only.
        lengths: int32 `[batch]`, at least 1.

    Returns:
        float32 `[1, 2 * time - 1, dim]`.
    """

    def call(self, inputs):
        frames, lengths = inputs
        time = frames.shape[1] or tf.shape(frames)[1]
        one = tf.cast(tf.minimum(lengths[:1], 1), tf.float32)
        positions = tf.cast(tf.range(time - 1, -time, -1), tf.float32) * one
        return sinusoids(positions, frames.shape[-1])


def sinusoids(positions, dim: int):
    """Sine and cosine of positions float32 `[positions]` at `dim / 2` rates: `[1, positions, dim]`.

    Vaswani et al. (2017), section 3.5, the sines before the cosines.
    """
    rates = np.exp(-math.log(10000.0) * np.arange(0, dim, 2) / dim).astype(np.float32)
    angles = tf.expand_dims(positions, 1) * rates
    return tf.expand_dims(tf.sin(tf.concat([angles, angles + math.pi / 2], axis=-1)), 0)


class RelativeAttention(keras.layers.Layer):
    """Multi-head attention over projected queries, keys, values and positions.

    score(i, j) = ((q_i + u) . k_j + (q_i + v) . p_(i-j)) / sqrt(head_dim), with the learned
    biases u and v of each head.

    Args:
        heads: number of heads; divides `dim`.
        context: frames on either side that a frame attends to, or past frames and future
            ones, or None for all.
        dropout: rate for the attention weights, in training.

    Call arguments:
        query, key, value: `[batch, time, dim]`.
        position: `[1, 2 * time - 1, dim]`, from `RelativePositions` through a Dense layer.
        mask: `[batch, time]`, 1 for a valid frame.

    Returns:
        `[batch, time, dim]`, the heads side by side.
    """

    def __init__(
        self, heads: int, context: AttentionContext = None, dropout: float = 0.0, **kwargs
    ):
        super().__init__(**kwargs)
        self.heads = heads
        if isinstance(context, (tuple, list)):  # a list where it was JSON
            context = (context[0], context[1])
        self.context: AttentionContext = context
        self.dropout = Dropout(dropout, name="dropout")

    def build(self, input_shape):
        dim = input_shape[0][-1]
        if dim % self.heads:
            raise ValueError(f"{self.name}: {self.heads} heads do not divide {dim} channels")
        shape = (self.heads, 1, dim // self.heads)
        self.content_bias = self.add_weight("content_bias", shape, initializer="zeros")
        self.position_bias = self.add_weight("position_bias", shape, initializer="zeros")
        super().build(input_shape)

    def split(self, x):
        """`[batch, time, dim]` to `[batch, heads, time, head_dim]`."""
        time = x.shape[1] or tf.shape(x)[1]
        batch = x.shape[0] or tf.shape(x)[0]
        x = tf.reshape(x, [batch, time, self.heads, x.shape[-1] // self.heads])
        return tf.transpose(x, [0, 2, 1, 3])

    def call(self, inputs, training=None):
        query, key, value, position, mask = inputs
        time = query.shape[1] or tf.shape(query)[1]
        query, key, value = self.split(query), self.split(key), self.split(value)
        content, relative = self.scores(query, key, self.split(position))
        if self.context is not None:
            # Before the shift a distance is a column: one row masks the band of all frames.
            distance = tf.range(time - 1, -time, -1)
            if isinstance(self.context, int):
                outside = tf.abs(distance) > self.context
            else:
                past, future = self.context
                outside = (distance > past) | (distance < -future)
            relative += tf.where(outside, MASKED, 0.0)
        return self.attended(content, relative, value, mask, training)

    def scores(self, query, key, position):
        """Both parts of the scores, not yet divided, float32.

        Args:
            query: `[batch, heads, time, head_dim]`, from `split`, like the others.
            key: `[batch, heads, keys, head_dim]`.
            position: `[1, heads, positions, head_dim]`.

        Returns:
            By key `[batch, heads, time, keys]`, and by position `[batch, heads, time, positions]`.
        """
        content = tf.matmul(query + self.content_bias, key, transpose_b=True)
        relative = tf.matmul(query + self.position_bias, position, transpose_b=True)
        # Masks and softmax need float32 where the products are computed in less.
        return tf.cast(content, tf.float32), tf.cast(relative, tf.float32)

    def attended(self, content, relative, value, mask, training=None):
        """The values of all keys, weighted for each query.

        Args:
            content: `[batch, heads, time, keys]`, from `scores`.
            relative: `[batch, heads, time, time + keys - 1]`, from the position of the last query
                and the first key down to that of the first query and the last key.
            value: `[batch, heads, keys, head_dim]`.
            mask: `[batch, keys]`, 1 for a valid frame.
            training: whether some weights are dropped.

        Returns:
            `[batch, time, dim]`, the heads side by side.
        """
        batch = content.shape[0] or tf.shape(content)[0]
        time = content.shape[2] or tf.shape(content)[2]
        keys = content.shape[3] or tf.shape(content)[3]
        size = value.shape[-1]
        scores = (content + relative_shift(relative, batch, self.heads, time, keys)) * (
            1.0 / math.sqrt(size)
        )
        mask = tf.cast(mask, tf.float32)
        scores += tf.expand_dims(tf.expand_dims((1.0 - mask) * MASKED, 1), 1)
        weights = tf.cast(self.dropout(tf.nn.softmax(scores), training=training), value.dtype)
        context = tf.transpose(tf.matmul(weights, value), [0, 2, 1, 3])
        return tf.reshape(context, [batch, time, self.heads * size])

    def get_config(self):
        own = {"heads": self.heads, "context": self.context, "dropout": self.dropout.rate}
        return {**super().get_config(), **own}


def relative_shift(scores, batch, heads, time, keys):
    """Scores by relative position `[batch, heads, time, time + keys - 1]` to scores by frame.

    Row i moves i columns to the right of the last row's place, so that column j holds the score
    of query i and key j: `[batch, heads, time, keys]`. Transformer-XL, appendix B.
    """
    padded = tf.pad(scores, [[0, 0], [0, 0], [0, 0], [1, 0]])
    padded = tf.reshape(padded, [batch, heads, time + keys, time])
    # tf.slice, not indexing: the gradient of a strided slice is many times slower on a CPU.
    shifted = tf.slice(padded, [0, 0, 1, 0], [batch, heads, time + keys - 1, time])
    shifted = tf.reshape(shifted, [batch, heads, time, time + keys - 1])
    return tf.slice(shifted, [0, 0, 0, 0], [batch, heads, time, keys])
