"""Connectionist temporal classification (Graves et al., 2006)."""

import tensorflow as tf

from asr_qat.audio.front_end import HALVINGS
from asr_qat.losses.targets import PADDING, TargetsLoss


class CTCLoss(TargetsLoss):
    """Negative log-likelihood of the labels, in nats per utterance.

    The blank is the last class. An utterance with too few frames for its labels
    contributes nothing. Each utterance has one label or more.

    Args:
        halvings: how often the encoder halves the time axis.
    """

    def __init__(self, halvings: int = HALVINGS, name: str = "ctc", **kwargs):
        super().__init__(halvings, name=name, **kwargs)

    def call(self, y_true, y_pred):
        """`y_true` from `pack_targets`; `y_pred` logits `[batch, time, classes]`.

        Returns:
            float32 `[batch]`.
        """
        lengths, labels = self.unpack(y_true)
        present = tf.where(labels != PADDING)
        # Sparse labels select the CPU kernel that is several times faster than the dense one.
        sparse = tf.SparseTensor(present, tf.gather_nd(labels, present), tf.shape(labels, tf.int64))
        losses = tf.compat.v1.nn.ctc_loss(
            sparse,
            tf.cast(y_pred, tf.float32),
            lengths,
            time_major=False,
            ignore_longer_outputs_than_inputs=True,  # infinite, with a gradient of zero
        )
        repeated = (labels[:, 1:] == labels[:, :-1]) & (labels[:, 1:] != PADDING)
        needed = tf.math.count_nonzero(labels != PADDING, axis=1, dtype=tf.int32)
        needed += tf.math.count_nonzero(repeated, axis=1, dtype=tf.int32)
        return tf.where(needed <= lengths, losses, 0.0)
