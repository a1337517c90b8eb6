"""Both passes of a live model through one joint network, or one of them at random."""

import zlib

import tensorflow as tf
from tensorflow import keras


class StackPasses(keras.layers.Layer):
    """The rows of both passes below each other: the joint network is called, and counted, once.

    Call arguments:
        causal, cascade: `[batch, time, joint]`, frames of the passes.
        predicted: `[batch, 1 + labels, joint]`.
        labels: int32 `[batch, labels]`.

    Returns:
        The same of `2 * batch` rows: frames, predicted, labels.
    """

    def call(self, inputs):
        causal, cascade, predicted, labels = inputs
        return (
            tf.concat([causal, cascade], axis=0),
            tf.concat([predicted, predicted], axis=0),
            tf.concat([labels, labels], axis=0),
        )


class UnstackPasses(keras.layers.Layer):
    """The inverse for one tensor: `[2 * batch, ...]` to `[batch, ...]` twice."""

    def call(self, inputs):
        causal, cascade = tf.split(inputs, 2, axis=0)
        return causal, cascade


class OnePass(keras.layers.Layer):
    """The frames of one of both passes: a random one in training, else those of the cascade.

    The random state is part of the checkpoint, as that of `Dropout`.

    Args:
        probability: of the causal encoder's.

    Call arguments:
        causal, cascade: `[batch, time, joint]`.
    """

    def __init__(self, probability: float, **kwargs):
        super().__init__(**kwargs)
        self.probability = probability
        self.generator = tf.random.Generator.from_seed(zlib.crc32(self.name.encode()))

    def seed(self, seed: int) -> None:
        """Start a new random sequence."""
        self.generator.reset_from_seed(seed + zlib.crc32(self.name.encode()))

    def call(self, inputs, training=None):
        causal, cascade = inputs
        if not training:
            return cascade
        first = self.generator.uniform([]) < self.probability
        return tf.where(first, causal, cascade)

    def get_config(self):
        return {**super().get_config(), "probability": self.probability}
