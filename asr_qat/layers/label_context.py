"""What the prediction network knows before the next label: start, state, last labels."""

import tensorflow as tf
from tensorflow import keras


class LabelsBefore(keras.layers.Layer):
    """Labels int32 `[batch, labels]` to those before each: `[batch, 1 + labels]`.

    Args:
        start: stands before the first one.
    """

    def __init__(self, start: int, **kwargs):
        super().__init__(**kwargs)
        self.start = start

    def call(self, inputs):
        return tf.pad(inputs, [[0, 0], [1, 0]], constant_values=self.start)

    def get_config(self):
        return {**super().get_config(), "start": self.start}


class ZeroState(keras.layers.Layer):
    """The state before the first label: zeros `[batch, units]`, one row for each of the labels'.

    Args:
        units: channels.
    """

    def __init__(self, units: int, **kwargs):
        super().__init__(**kwargs)
        self.units = units

    def call(self, inputs):
        return tf.zeros([tf.shape(inputs)[0], self.units], self.compute_dtype)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class LastLabels(keras.layers.Layer):
    """Each label's embedding beside those of the labels before it: an n-gram's context.

    Args:
        context: labels seen, at least 2.
        dim: channels of an embedding.

    Call arguments:
        embedded: `[batch, steps, dim]`.
        state: `[batch, (context - 1) * dim]`, embeddings before the first step, oldest first.

    Returns:
        `[batch, steps, context * dim]`, oldest first, and the state after the last step.
    """

    def __init__(self, context: int, dim: int, **kwargs):
        super().__init__(**kwargs)
        self.context = context
        self.dim = dim

    def states(self) -> list[tuple[str, int]]:
        """Name and channels of the state."""
        return [("embeddings", (self.context - 1) * self.dim)]

    def call(self, inputs):
        embedded, state = inputs
        dim, before = self.dim, self.context - 1
        if embedded.shape[1] == 1:  # on the device, without reshaping
            seen = tf.concat([state, embedded[:, 0]], axis=-1)
            return tf.expand_dims(seen, 1), seen[:, dim:]
        steps = tf.shape(embedded)[1]
        rows = tf.concat([tf.reshape(state, [-1, before, dim]), embedded], axis=1)
        seen = tf.concat([rows[:, i : i + steps] for i in range(self.context)], axis=-1)
        return seen, tf.reshape(rows[:, steps:], [-1, before * dim])

    def get_config(self):
        return {**super().get_config(), "context": self.context, "dim": self.dim}
