"""Dropout whose random state is part of the checkpoint."""

import zlib

import tensorflow as tf
from tensorflow import keras


class Dropout(keras.layers.Layer):
    """Zero a share `rate` of the inputs in training, scale up the others.

    Unlike the stock layer its generator is saved with the model, so that a resumed
    training sees the losses that an uninterrupted one would have seen. It also draws
    8 random bits for each value instead of 32: the rate is rounded to 1/256.
    """

    def __init__(self, rate: float, **kwargs):
        super().__init__(**kwargs)
        self.rate = rate
        self.generator = tf.random.Generator.from_seed(zlib.crc32(self.name.encode()))

    def seed(self, seed: int) -> None:
        """Start a new random sequence, different for each layer of a model."""
        self.generator.reset_from_seed(seed + zlib.crc32(self.name.encode()))

    def call(self, inputs, training=None):
        threshold = round(self.rate * 256)
        if not training or threshold == 0:
            return inputs
        words = (tf.size(inputs) + 3) // 4
        bits = self.generator.uniform_full_int([words], tf.uint32)
        random = tf.reshape(tf.bitcast(bits, tf.uint8), [-1])[: tf.size(inputs)]
        kept = tf.cast(tf.reshape(random, tf.shape(inputs)) >= threshold, inputs.dtype)
        return inputs * (kept * (256 / (256 - threshold)))

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
