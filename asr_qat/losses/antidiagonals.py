"""Sums over the alignments in a transducer's lattice: its nodes, antidiagonal by antidiagonal.

The lattice has a node for each frame t and each number u of labels emitted so far. The nodes of an
antidiagonal t + u do not depend on each other: recursions run over antidiagonals, each step over
all of batch and labels at once.
"""

import tensorflow as tf

IMPOSSIBLE = -1e30  # log of zero, finite so that sums and differences are


def log_add(a, b):
    """`log(exp(a) + exp(b))`."""
    larger = tf.maximum(a, b)
    return larger + tf.math.log1p(tf.exp(-tf.abs(a - b)))


def next_node(nodes):
    """The value of node u + 1 at u, `[..., nodes]`."""
    return tf.pad(
        nodes[..., 1:],
        [[0, 0]] * (nodes.shape.rank - 1) + [[0, 1]],
        constant_values=IMPOSSIBLE,
    )


def previous_node(nodes):
    """The value of node u - 1 at u, `[batch, nodes]`."""
    return tf.pad(nodes[:, :-1], [[0, 0], [1, 0]], constant_values=IMPOSSIBLE)


def antidiagonals(values):
    """`[batch, time, nodes]` to `[time + nodes - 1, batch, nodes]`: entry d holds t + u = d.

    Nodes outside the lattice hold `IMPOSSIBLE`.
    """
    batch, time, nodes = tf.unstack(tf.shape(values))
    rows = tf.transpose(values, [2, 0, 1])
    # Row u moves u places to the right: rows of one entry more, read as rows of one less.
    rows = tf.pad(rows, [[0, 0], [0, 0], [0, nodes]], constant_values=IMPOSSIBLE)
    rows = tf.reshape(tf.transpose(rows, [1, 0, 2]), [batch, nodes * (time + nodes)])
    rows = tf.reshape(rows[:, : nodes * (time + nodes - 1)], [batch, nodes, time + nodes - 1])
    return tf.transpose(rows, [2, 0, 1])


def frames_of(diagonals, time):
    """The inverse of `antidiagonals`: `[batch, time, nodes]`."""
    steps, batch, nodes = tf.unstack(tf.shape(diagonals))
    rows = tf.reshape(tf.transpose(diagonals, [1, 2, 0]), [batch, nodes * steps])
    rows = tf.reshape(tf.pad(rows, [[0, 0], [0, nodes]]), [batch, nodes, steps + 1])
    return tf.transpose(rows[:, :, :time], [0, 2, 1])
