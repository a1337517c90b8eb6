"""The Dense layer of every quantized product of matrices."""

import dataclasses
from collections.abc import Callable
from typing import Any

import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.device_kernel import DeviceKernel
from asr_qat.quantize.precision import Precision
from asr_qat.quantize.product_layer import Kernel, ProductLayer, quantized_layer
from asr_qat.quantize.products import Function, QuantizedKernel


@quantized_layer
class Dense(ProductLayer, keras.layers.Dense):
    """The stock Dense layer, until a quantizer replaces its kernel by a `QuantizedKernel`."""

    operation = "MatMul"
    multiplies_rows = True

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """`activation(inputs @ kernel + bias)`: `[..., input]` to `[..., units]`."""
        bias = self.bias if self.use_bias else None
        if isinstance(self.kernel, QuantizedKernel | DeviceKernel):
            return self.quantized_call(inputs, self.kernel, bias, self.activation)
        if self.offset is None:
            return super().call(inputs)
        outputs = tf.tensordot(inputs, self.kernel, 1)
        if self.use_bias:
            outputs = tf.nn.bias_add(outputs, self.bias)
        outputs += tf.reduce_sum(inputs, axis=-1, keepdims=True) * self.offset
        return self.activation(outputs)

    def quantized_call(
        self, x: tf.Tensor, kernel: Kernel, bias: tf.Tensor | None, activation: Function
    ) -> tf.Tensor:
        """`activation(x @ kernel + bias)`."""
        return kernel.dense(x, bias, activation)

    def device_shape(self) -> tuple[int, ...]:
        """(output, input), as the device has it."""
        inputs, outputs = self.kernel.shape
        return outputs, inputs

    def executed(self, precision: Precision) -> Precision:
        """Blocks that do not divide the inputs are replaced by a scale for each channel."""
        if precision.block and self.kernel.shape[0] % precision.block:
            return dataclasses.replace(precision, block=None)
        return precision

    def add_offset(self) -> None:
        """Add a weight `[units]` to all rows of the kernel, as the device does: by the row sum.

        For an exported model, where the kernel holds the integers of an asymmetric grid times
        their scale.
        """
        self.offset = self.add_weight("offset", [self.units], initializer="zeros")


class InnerDense(Dense):
    """A layer that does more than its product, such as a recurrence or a joint network.

    The product has dynamic activations and no offset, and its range is searched where a scale would
    be learned.
    """

    multiplies_rows = False

    def executed(self, precision: Precision) -> Precision:
        found = super().executed(precision)
        found = found.searched if found.range == "learned" else found
        return dataclasses.replace(found, static=False, asymmetric=False)


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
