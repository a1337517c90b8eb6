"""The labels of a batch as the one tensor that Keras hands to a loss."""

import tensorflow as tf
from tensorflow import keras

from asr_qat.audio.front_end import HALVINGS, subsampled_length

PADDING = -1  # fills the label rows after the last label


def pack_targets(lengths, labels):
    """One tensor for Keras: int32 `[batch, 1 + labels]`, the feature length, then the labels.

    Args:
        lengths: int32 `[batch]`, frames of the features.
        labels: int32 `[batch, labels]`, padded with `PADDING`.
    """
    return tf.concat([lengths[:, None], labels], axis=1)


class TargetsLoss(keras.losses.Loss):
    """A loss whose `y_true` is from `pack_targets`.

    Args:
        halvings: how often the encoder halves the time axis.
    """

    def __init__(self, halvings: int = HALVINGS, **kwargs):
        super().__init__(**kwargs)
        self.halvings = halvings

    def unpack(self, y_true):
        """Encoded frames int32 `[batch]` and labels int32 `[batch, labels]` of `y_true`."""
        y_true = tf.cast(y_true, tf.int32)
        return subsampled_length(y_true[:, 0], self.halvings), y_true[:, 1:]

    def get_config(self):
        return {**super().get_config(), "halvings": self.halvings}
