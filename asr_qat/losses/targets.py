"""The labels of a batch as the one tensor that Keras hands to a loss."""

import tensorflow as tf

PADDING = -1  # fills the label rows behind the last label


def pack_targets(lengths, labels):
    """One tensor for Keras: int32 `[batch, 1 + labels]`, the feature length, then the labels.

    Args:
        lengths: int32 `[batch]`, frames of the features.
        labels: int32 `[batch, labels]`, padded with `PADDING`.
    """
    return tf.concat([lengths[:, None], labels], axis=1)
