"""The Dense layer of every quantized product."""

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.device_kernel import DeviceKernel
from asr_qat.quantize.products import QuantizedKernel

LayerClass = TypeVar("LayerClass", bound=type[keras.layers.Layer])
QUANTIZED_LAYERS: dict[str, type[keras.layers.Layer]] = {}  # by name, see `quantized_layer`


def quantized_layer(cls: LayerClass) -> LayerClass:
    """Class decorator: Keras finds the layer by its name when a model is cloned or loaded."""
    QUANTIZED_LAYERS[cls.__name__] = cls
    registered: LayerClass = keras.utils.register_keras_serializable("asr_qat")(cls)
    return registered


@quantized_layer
class Dense(keras.layers.Dense):
    """The stock Dense layer, until a quantizer replaces its kernel by a `QuantizedKernel`."""

    offset = None

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """`activation(inputs @ kernel + bias)`: `[..., input]` to `[..., units]`."""
        if isinstance(self.kernel, QuantizedKernel | DeviceKernel):
            return self.kernel.dense(inputs, self.bias if self.use_bias else None, self.activation)
        if self.offset is None:
            return super().call(inputs)
        outputs = tf.tensordot(inputs, self.kernel, 1)
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.bias)
        outputs += tf.reduce_sum(inputs, axis=-1, keepdims=True) * self.offset
        return self.activation(outputs)

    def add_offset(self) -> None:
        """Add a weight `[units]` to all rows of the kernel, as the device does: by the row sum.

        For an exported model, where the kernel holds the integers of an asymmetric grid times
        their scale.
        """
        self.offset = self.add_weight("offset", [self.units], initializer="zeros")


def product(x: tf.Tensor, kernel: Any) -> tf.Tensor:
    """`x` `[..., input]` times a kernel `[input, output]`, quantized or not: `[..., output]`."""
    if isinstance(kernel, QuantizedKernel | DeviceKernel):
        return kernel.product(x)
    return tf.tensordot(x, kernel, 1)


def with_kernel(function: Callable[[Any], Any], kernel: Any) -> Any:
    """`function(kernel)`, whether the kernel is quantized yet decided once and for all.

    For a function with a loop in it: TensorFlow cannot differentiate the choice inside of one.
    """
    if not isinstance(kernel, QuantizedKernel) or kernel.active is None:
        return function(kernel)
    quantized = dataclasses.replace(kernel, active=None)
    return tf.cond(kernel.active, lambda: function(quantized), lambda: function(kernel.weights))
