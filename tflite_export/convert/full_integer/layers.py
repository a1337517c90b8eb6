"""Layers that replace others where every tensor is to be an integer.

They compute what the layers do that they replace, for one utterance of a fixed length, from a
mask instead of a length: comparing and converting integers is no work for an accelerator.
"""

import math

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat.layers.layer_norm import LayerNormalization
from asr_qat.layers.relative_attention import RelativeAttention, relative_shift

# Added to the score of a padded or distant frame. The sum saturates at the lower end of the
# integers' range, so it only has to be larger than that range.
PENALTY = 4096.0


class SampledMask(keras.layers.Layer):
    """Mask of the frames that are left when the time axis was halved a number of times.

    Frame j stands for feature frames from `2^halvings * j` on, and is valid when that one is.

    Call arguments:
        frames: not read.
        mask: `[batch, time]` of the feature frames, 1 for a valid one.

    Returns:
        `[batch, ceil(time / 2^halvings)]`.
    """

    def __init__(self, halvings: int, **kwargs):
        super().__init__(**kwargs)
        self.halvings = halvings

    def call(self, inputs):
        _, mask = inputs
        # Ethos-U strides along height and width, not along the last axis.
        return mask[:, :, None][:, :: 2**self.halvings][:, :, 0]


class PositionTable(keras.layers.Layer):
    """`RelativePositions` as a constant, of the distances that are attended to.

    It is multiplied by the mask of the first frame, a one: a converter would project a
    constant, and store a projected table for each block instead of this one.

    Args:
        context: frames on either side that a frame attends to, or None for all.

    Call arguments:
        frames: `[1, time, dim]`, read for its shape only.
        mask: `[1, feature frames]`.

    Returns:
        `[1, 2 * reach + 1, dim]`, see `reach`.
    """

    def __init__(self, context: int | None, **kwargs):
        super().__init__(**kwargs)
        self.context = context

    def call(self, inputs):
        frames, mask = inputs
        dim, most = frames.shape[-1], reach(frames.shape[1], self.context)
        rates = np.exp(-math.log(10000.0) * np.arange(0, dim, 2) / dim)
        angles = np.arange(most, -most - 1, -1)[:, None] * rates
        table = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1).astype(np.float32)
        return table[None] * mask[:, :1, None]


class BandedAttention(RelativeAttention):
    """`RelativeAttention` that scores only the distances of a `PositionTable`.

    The factor `1 / sqrt(head_dim)` is on the queries, where a converter merges it into their
    projection, and masks are an addition that saturates.
    """

    @property
    def input_factors(self) -> tuple[float, ...]:
        """What the inputs are multiplied by; see `tflite_export.convert.labels`."""
        return (1.0 / math.sqrt(self.content_bias.shape[-1]), 1.0, 1.0, 1.0, 1.0)

    def call(self, inputs, training=None):
        query, key, value, position, mask = inputs
        assert not isinstance(self.context, tuple)  # no live model comes here
        batch, time, dim = query.shape
        factor = self.input_factors[0]
        query = self.split(query * factor)
        key, value, position = self.split(key), self.split(value), self.split(position)
        content = tf.matmul(query + self.content_bias * factor, key, transpose_b=True)
        relative = tf.matmul(query + self.position_bias * factor, position, transpose_b=True)
        beyond = time - 1 - reach(time, self.context)
        relative = tf.pad(relative, [[0, 0], [0, 0], [0, 0], [beyond, beyond]])
        scores = content + relative_shift(relative, batch, self.heads, time, time)
        scores += _penalty(mask, self.context)
        context = tf.transpose(tf.matmul(tf.nn.softmax(scores), value), [0, 2, 1, 3])
        return tf.reshape(context, [batch, time, dim])


class PlainLayerNormalization(LayerNormalization):
    """The same in additions and products that exist for 16-bit integers."""

    def call(self, inputs):
        centred = inputs - tf.reduce_mean(inputs, axis=-1, keepdims=True)
        variance = tf.reduce_mean(centred * centred, axis=-1, keepdims=True)
        normal = centred * tf.math.rsqrt(variance + self.epsilon)
        return normal * self.gamma + self.beta if self.affine else normal


def reach(time: int, context: int | None) -> int:
    """The largest distance that is attended to among `time` frames."""
    return time - 1 if context is None else min(context, time - 1)


def _penalty(mask, context: int | None):
    """What scores lose: `[1, 1, time or 1, time]`, 0 or at most `-PENALTY`.

    It depends on the mask alone, so that a converter computes it once for all blocks.
    """
    time = mask.shape[1]
    padding = (mask - 1.0) * PENALTY
    columns = padding[:, None, None, :]
    most = reach(time, context)
    if most == time - 1:
        return columns
    near = tf.broadcast_to(padding[:, None, :, None], [1, 1, time, 2 * most + 1])
    beyond = time - 1 - most
    by_distance = tf.pad(near, [[0, 0], [0, 0], [0, 0], [beyond, beyond]], constant_values=-PENALTY)
    return relative_shift(by_distance, 1, 1, time, time) + columns
