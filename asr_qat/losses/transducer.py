"""The transducer loss (Graves, 2012), exact, with its own gradient.

It is made of two parts, so that a joint network may be run and differentiated slice by slice:
`transition_log_probs` takes from the logits what the lattice needs, and `lattice_loss` sums
over all alignments. Neither keeps a tensor of the logits' size beside them and their gradient.

The lattice has a node for each frame t and each number u of labels emitted so far. From
(t, u) a blank leads to (t + 1, u) and a label to (t, u + 1); the last blank leaves it from
(frames - 1, labels). The nodes of an antidiagonal t + u do not depend on each other: the
recursions run over antidiagonals, each step over all of batch and labels at once.
"""

import tensorflow as tf

from asr_qat.audio.front_end import HALVINGS
from asr_qat.compat import inside_xla
from asr_qat.losses.antidiagonals import (
    IMPOSSIBLE,
    antidiagonals,
    frames_of,
    log_add,
    next_node,
    previous_node,
)
from asr_qat.losses.targets import PADDING, TargetsLoss


class TransducerLoss(TargetsLoss):
    """`lattice_loss` for `model.fit`, in nats per utterance.

    Args:
        halvings: how often the encoder halves the time axis.
    """

    def __init__(self, halvings: int = HALVINGS, name: str = "transducer", **kwargs):
        super().__init__(halvings, name=name, **kwargs)

    def call(self, y_true, y_pred):
        """`y_true` from `pack_targets`; `y_pred` as `asr_qat.layers.joint.Joint` gives it.

        Returns:
            float32 `[batch]`.
        """
        frames, labels = self.unpack(y_true)
        return lattice_loss(
            y_pred[..., 0],
            y_pred[:, :, :-1, 1],
            frames,
            tf.math.count_nonzero(labels != PADDING, axis=1, dtype=tf.int32),
        )


def transducer_loss(logits, labels, frame_lengths, label_lengths):
    """Negative log-likelihood of the labels, in nats per utterance.

    Args:
        logits: `[batch, time, 1 + labels, classes]`; the blank is the last class.
        labels: int32 `[batch, labels]`; what is beyond an utterance's own does not matter.
        frame_lengths: int32 `[batch]`, at least 1.
        label_lengths: int32 `[batch]`.

    Returns:
        float32 `[batch]`.
    """
    blank, label = transition_log_probs(logits, labels)
    return lattice_loss(blank, label, frame_lengths, label_lengths)


def transition_log_probs(logits, labels):
    """Log-probabilities of the transitions of each node.

    Args:
        logits: `[batch, time, 1 + labels, classes]`; the blank is the last class.
        labels: int32 `[batch, labels]`.

    Returns:
        float32 `[batch, time, 1 + labels]` of the blank, and `[batch, time, labels]` of the
        next label.
    """
    blank, label = node_log_probs(logits, labels)
    return blank, label[:, :, :-1]


def node_log_probs(logits, labels):
    """As `transition_log_probs`, with a label, of no meaning, for the last node too."""
    classes = tf.pad(tf.maximum(labels, 0), [[0, 0], [0, 1]])
    classes = tf.repeat(classes[:, None, :], tf.shape(logits)[1], axis=1)
    return _log_probs(logits, classes)


def token_log_probs(logits, labels, durations: int = 0):
    """What a lattice needs of the logits, float32 `[batch, time, 1 + labels, 2 + durations]`.

    Log-probabilities of the blank, of the next label and of each duration; the label of the last
    node means nothing.

    Args:
        logits: `[batch, time, 1 + labels, classes]`: labels, the blank, the durations.
        labels: int32 `[batch, labels]`.
        durations: how many there are; 0 for a plain transducer.
    """
    if not durations:
        return tf.stack(node_log_probs(logits, labels), axis=-1)
    tokens, lasting = tf.split(logits, [logits.shape[-1] - durations, durations], axis=-1)
    tokens = tf.stack(node_log_probs(tokens, labels), axis=-1)
    return tf.concat([tokens, tf.nn.log_softmax(tf.cast(lasting, tf.float32))], axis=-1)


@tf.custom_gradient
def _log_probs(logits, classes):
    """Log-probabilities `[batch, time, nodes]` of the blank and of one class of each node."""
    shape, size = tf.shape(logits), tf.shape(logits)[-1]
    logits = tf.reshape(logits, [-1, size])
    rows = tf.range(tf.shape(logits)[0])
    index = tf.stack([tf.fill(tf.shape(rows), size - 1), tf.reshape(classes, [-1])], axis=-1)
    index = tf.stack([tf.repeat(rows[:, None], 2, axis=1), index], axis=-1)

    values = tf.cast(logits, tf.float32)
    # As reduce_logsumexp, in half the time: softmax is one fused kernel on most devices.
    peak = tf.reduce_max(tf.nn.softmax(values), axis=-1)  # at least 1 / classes
    log_norm = tf.reduce_max(values, axis=-1) - tf.math.log(peak)
    log_probs = tf.gather_nd(values, index) - log_norm[:, None]

    def gradient(d_blank, d_label):
        d_log_probs = tf.stack([tf.reshape(d, [-1]) for d in (d_blank, d_label)], axis=-1)
        # Each operation writes over what the one before it made.
        probs = tf.nn.softmax(tf.cast(logits, tf.float32))
        d_logits = probs * -tf.reduce_sum(d_log_probs, axis=-1, keepdims=True)
        d_logits = _add_at(index, d_log_probs, d_logits)
        return tf.reshape(tf.cast(d_logits, logits.dtype), shape), None

    blank, label = (tf.reshape(log_probs[:, i], shape[:-1]) for i in (0, 1))
    return (blank, label), gradient


def _add_at(index, updates, values):
    """`values` with `updates` added, in place if nothing else reads `values`."""
    if inside_xla():
        return tf.tensor_scatter_nd_add(values, index, updates)
    # tensor_scatter_nd_add copies all values on a processor; XLA, in turn, lacks this one.
    return tf.raw_ops.ScatterNdNonAliasingAdd(input=values, indices=index, updates=updates)


@tf.custom_gradient
def lattice_loss(blank, label, frame_lengths, label_lengths):
    """Negative log of the summed probabilities of all alignments.

    The sums are made in float64: the log-probability of a long utterance is in the thousands,
    and the gradient is the exponential of differences of such numbers.

    Args:
        blank: float32 `[batch, time, 1 + labels]`, log-probability of the blank at a node.
        label: float32 `[batch, time, labels]`, of the next label.
        frame_lengths: int32 `[batch]`, at least 1.
        label_lengths: int32 `[batch]`.

    Returns:
        float32 `[batch]`.
    """
    label = tf.pad(label, [[0, 0], [0, 0], [0, 1]], constant_values=IMPOSSIBLE)
    blanks, labels = (antidiagonals(tf.cast(values, tf.float64)) for values in (blank, label))
    steps, nodes = tf.shape(blanks)[0], tf.shape(blanks)[2]
    last = tf.one_hot(label_lengths, nodes, on_value=True, off_value=False, dtype=tf.bool)
    final = (frame_lengths + label_lengths - 1)[None, :] == tf.range(steps)[:, None]
    final = final[:, :, None] & last[None]  # the node that the last blank leaves

    def backward(after, transitions):
        """Log-probability of all ways from the nodes of an antidiagonal to the end."""
        blank, label, final = transitions
        ways = log_add(after + blank, next_node(after) + label)
        return tf.where(final, blank, ways)

    nowhere = tf.fill(tf.shape(blanks)[1:], tf.constant(IMPOSSIBLE, tf.float64))
    beta = tf.scan(backward, (blanks, labels, final), nowhere, reverse=True)
    log_likelihood = beta[0, :, 0]

    def gradient(d_loss):
        def forward(before, transitions):
            """Log-probability of all ways from the beginning to the nodes of the next one."""
            blank, label = transitions
            return log_add(before + blank, previous_node(before + label))

        beginning = tf.one_hot(
            tf.zeros_like(frame_lengths), nodes, 0.0, IMPOSSIBLE, dtype=tf.float64
        )
        alpha = tf.scan(forward, (blanks[:-1], labels[:-1]), beginning)
        alpha = tf.concat([beginning[None], alpha], axis=0)
        after = tf.concat([beta[1:], nowhere[None]], axis=0)
        weight = -tf.cast(d_loss, tf.float64)[None, :, None]
        alpha -= log_likelihood[None, :, None]
        beyond = tf.where(final, tf.zeros_like(after), after)
        d_blank = weight * tf.exp(alpha + blanks + beyond)
        d_label = weight * tf.exp(alpha + labels + next_node(after))
        time = tf.shape(blank)[1]
        d_blank, d_label = (
            frames_of(tf.cast(values, blank.dtype), time) for values in (d_blank, d_label)
        )
        return d_blank, d_label[:, :, :-1], None, None

    return tf.cast(-log_likelihood, tf.float32), gradient
