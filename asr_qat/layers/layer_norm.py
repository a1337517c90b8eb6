"""Layer normalisation over the channels (Ba et al., 2016), in few operations.

The stock layer goes through a batch normalisation kernel, which converts to twice as many
device operations, two transpositions among them.
"""

import tensorflow as tf
from tensorflow import keras


class LayerNormalization(keras.layers.Layer):
    """`(x - mean) / sqrt(variance + epsilon)`, times a gain plus an offset if `affine`.

    Args:
        affine: learn a gain and an offset for each channel. Omit them where only Dense layers
            read the output: these can express both, and a converter would merge a gain
            into their weights and move these off the trained quantization grid.
        epsilon: added to the variance.
    """

    def __init__(self, affine: bool = True, epsilon: float = 1e-3, **kwargs):
        super().__init__(**kwargs)
        self.affine = affine
        self.epsilon = epsilon

    def build(self, input_shape):
        if self.affine:
            shape = (input_shape[-1],)
            self.gamma = self.add_weight("gamma", shape, initializer="ones")
            self.beta = self.add_weight("beta", shape, initializer="zeros")
        super().build(input_shape)

    def call(self, inputs):
        centred = inputs - tf.reduce_mean(inputs, axis=-1, keepdims=True)
        variance = tf.reduce_mean(tf.square(centred), axis=-1, keepdims=True)
        normal = centred * tf.math.rsqrt(variance + self.epsilon)
        return normal * self.gamma + self.beta if self.affine else normal

    def get_config(self):
        return {**super().get_config(), "affine": self.affine, "epsilon": self.epsilon}
