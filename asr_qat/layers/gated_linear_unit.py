"""Gated linear unit (Dauphin et al., 2017)."""

import tensorflow as tf
from tensorflow import keras


class GatedLinearUnit(keras.layers.Layer):
    """First half of the channels times the sigmoid of the second: `[..., 2n]` to `[..., n]`."""

    def call(self, inputs):
        values, gates = tf.split(inputs, 2, axis=-1)
        return values * tf.sigmoid(gates)
