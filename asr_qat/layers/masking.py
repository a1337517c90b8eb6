"""Padding: which frames of a batch are speech, and zeroing those that are not."""

import tensorflow as tf
from tensorflow import keras

from asr_qat.audio.front_end import subsampled_length


class FrameMask(keras.layers.Layer):
    """Mask of the valid frames.

    Args:
        halvings: how often the time axis was halved between the features and the frames.

    Call arguments:
        frames: `[batch, time, ...]`, read for its time axis only.
        lengths: int32 `[batch]`, valid frames of the features.

    Returns:
        float32 `[batch, time]`: 1 for a valid frame, 0 for padding.
    """

    def __init__(self, halvings: int, **kwargs):
        super().__init__(**kwargs)
        self.halvings = halvings

    def call(self, inputs):
        frames, lengths = inputs
        lengths = subsampled_length(lengths, self.halvings)
        positions = tf.range(frames.shape[1] or tf.shape(frames)[1])
        return tf.cast(positions < tf.expand_dims(lengths, 1), tf.float32)

    def get_config(self):
        return {**super().get_config(), "halvings": self.halvings}


class ZeroPadding(keras.layers.Layer):
    """Frames `[batch, time, ...]` times their mask `[batch, time]`: padding becomes zero."""

    def call(self, inputs):
        frames, mask = inputs
        for _ in range(frames.shape.rank - 2):
            mask = tf.expand_dims(mask, -1)
        return frames * tf.cast(mask, frames.dtype)
