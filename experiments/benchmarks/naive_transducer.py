"""The transducer loss written plainly: what the benchmark and the tests compare with."""

import itertools

import numpy as np
import tensorflow as tf


def naive_transducer_loss(logits, labels, frame_lengths, label_lengths):
    """The recursion of Graves (2012) node by node, with TensorFlow's own gradient.

    Log-softmax of all logits, then a loop over frames and, in it, one over labels; each step
    is one node of all utterances. Arguments and result as `transducer_loss`.
    """
    blank, label = _transitions(logits, labels)

    def row(previous, transitions):
        """All nodes of a frame, `[1 + labels, batch]`, from those of the frame before."""
        from_below, label = transitions[0] + previous, transitions[1]
        rest = tf.scan(
            lambda left, step: _log_add(left + step[0], step[1]),
            (label, from_below[1:]),
            from_below[0],
        )
        return tf.concat([from_below[:1], rest], axis=0)

    first = tf.concat([tf.zeros_like(label[0, :1]), tf.cumsum(label[0])], axis=0)
    rows = tf.scan(row, (blank[:-1], label[1:]), first)
    alpha = tf.concat([first[None], rows], axis=0)
    last = tf.stack([frame_lengths - 1, label_lengths, tf.range(tf.size(frame_lengths))], axis=1)
    return -tf.gather_nd(alpha + blank, last)


def rowwise_transducer_loss(logits, labels, frame_lengths, label_lengths):
    """As `naive_transducer_loss`, all labels of a frame at once by a cumulative sum."""
    blank, label = _transitions(logits, labels)
    zeros = tf.zeros_like(label[:, :1])
    emitted = tf.cumsum(tf.concat([zeros, label], axis=1), axis=1)

    def row(previous, transitions):
        blank, emitted = transitions
        return emitted + tf.math.cumulative_logsumexp(previous + blank - emitted, axis=0)

    rows = tf.scan(row, (blank[:-1], emitted[1:]), emitted[0])
    alpha = tf.concat([emitted[:1], rows], axis=0)
    last = tf.stack([frame_lengths - 1, label_lengths, tf.range(tf.size(frame_lengths))], axis=1)
    return -tf.gather_nd(alpha + blank, last)


def brute_force_loss(logits, labels, frames):
    """The sum over every order of `frames` blanks, the last one at the end, and the labels.

    Args:
        logits: of one utterance, `[time, 1 + labels, classes]`.
        labels: as many as count.
        frames: as many as count.

    Returns:
        The loss in nats, a float.
    """
    logits = np.asarray(logits, np.float64)
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    steps = frames - 1 + len(labels)
    total = 0.0
    for places in itertools.combinations(range(steps), len(labels)):
        t = u = 0
        score = 0.0
        for step in range(steps):
            if step in places:
                score += log_probs[t, u, labels[u]]
                u += 1
            else:
                score += log_probs[t, u, -1]
                t += 1
        total += np.exp(score + log_probs[t, u, -1])
    return -np.log(total)


def _transitions(logits, labels):
    """Blank `[time, 1 + labels, batch]` and next label `[time, labels, batch]`."""
    log_probs = tf.nn.log_softmax(logits)
    classes = tf.repeat(labels[:, None, :], tf.shape(logits)[1], axis=1)
    label = tf.gather(log_probs[:, :, :-1], classes, batch_dims=3)
    return (tf.transpose(values, [1, 2, 0]) for values in (log_probs[..., -1], label))


def _log_add(a, b):
    return tf.reduce_logsumexp(tf.stack([a, b]), axis=0)
