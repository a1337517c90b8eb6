"""The Dense layer that every quantized product of the model is."""

import dataclasses
from collections.abc import Callable

import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.products import QuantizedKernel


class Dense(keras.layers.Dense):
    """The stock Dense layer, until a quantizer puts a `QuantizedKernel` in its kernel's place."""

    def call(self, inputs):
        """`activation(inputs @ kernel + bias)`: `[..., input]` to `[..., units]`."""
        if not isinstance(self.kernel, QuantizedKernel):
            return super().call(inputs)
        outputs = self.kernel.product(inputs)
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)


def product(x, kernel):
    """`x` `[..., input]` times a kernel `[input, output]`, quantized or not: `[..., output]`."""
    if isinstance(kernel, QuantizedKernel):
        return kernel.product(x)
    return tf.tensordot(x, kernel, 1)


def with_kernel(function: Callable, kernel):
    """`function(kernel)`, whether the kernel is quantized yet decided once and for all.

    For a function with a loop in it: TensorFlow cannot differentiate the choice inside of one.
    """
    if not isinstance(kernel, QuantizedKernel) or kernel.active is None:
        return function(kernel)
    quantized = dataclasses.replace(kernel, active=None)
    return tf.cond(kernel.active, lambda: function(quantized), lambda: function(kernel.weights))
