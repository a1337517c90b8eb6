"""The Conv2D layer of quantized convolutions."""

import dataclasses

import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.device_kernel import DeviceKernel
from asr_qat.quantize.numerics import quantize_straight_through
from asr_qat.quantize.precision import Precision
from asr_qat.quantize.product_layer import Kernel, ProductLayer, quantized_layer
from asr_qat.quantize.products import Function, QuantizedKernel

WEIGHT_BITS = 8  # at least
IMAGE = (1, 2, 3)  # axes of height, width and channels
CHANNELS = -1


@quantized_layer
class Conv2D(ProductLayer, keras.layers.Conv2D):
    """The stock Conv2D layer, until a quantizer replaces its kernel by a `QuantizedKernel`.

    The kernel `[height, width, input, output]` has a scale for each output channel, and 8 bits
    whatever is wanted of the other layers: LiteRT 2.3.0 unpacks 4-bit weights of a convolution
    at every call, outside of XNNPACK, and computes wrong values with 2-bit ones.

    LiteRT quantizes the input of a convolution at run time with one scale and zero point for
    each image of a batch, over its height, width and channels. The range is widened to hold
    zero, and the border that `padding="same"` adds is an exact zero. So frames of zeros behind an
    utterance change nothing in it: they widen no range. But its own frames share one scale, and
    a loud one makes the grid of all others coarser; an image that is cut, into the windows of a
    long recording or the chunks of a stream, has the ranges of its parts. A kernel of one
    element with stride 1 is a product of matrices to XNNPACK, with a scale for each pixel.

    Sums of more than 518 products are no longer exact in float32 if all are at their largest;
    that is within the last bit of a float.
    """

    operation = "Conv2D"

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """`activation(inputs * kernel + bias)`: `[batch, height, width, input]` to `output`."""
        if isinstance(self.kernel, QuantizedKernel | DeviceKernel):
            bias = self.bias if self.use_bias else None
            return self.quantized_call(inputs, self.kernel, bias, self.activation)
        return super().call(inputs)

    def quantized_call(
        self, x: tf.Tensor, kernel: Kernel, bias: tf.Tensor | None, activation: Function
    ) -> tf.Tensor:
        """`activation(x * kernel + bias)`, in which * is the convolution."""
        if isinstance(kernel, DeviceKernel):
            y = self.convolution_op(kernel.fenced(x), kernel.weights)
        elif kernel.active is None:
            y = self._quantized(x, kernel)
        else:
            y = tf.cond(
                kernel.active,
                lambda: self._quantized(x, kernel),
                lambda: self.convolution_op(x, kernel.weights),
            )
        return activation(y if bias is None else tf.nn.bias_add(y, bias))

    def _quantized(self, x: tf.Tensor, kernel: QuantizedKernel) -> tf.Tensor:
        """The convolution of integers, then rescaled; in a fake one, of the rescaled."""
        integers = tf.reshape(kernel.integers, kernel.weights.shape)
        scale = kernel.grid.scale[0]
        unit: tf.Tensor | float = 1.0
        if kernel.activation_bits:
            x, unit = quantize_straight_through(x, kernel.activation_bits, self._axes())
        if kernel.native:
            return self.convolution_op(x, integers) * unit * scale
        return self.convolution_op(x * unit, integers * scale)

    def _axes(self) -> int | tuple[int, ...]:
        """Axes of the input over which XNNPACK has one scale."""
        pixelwise = self.kernel_size == self.strides == (1, 1) and self.groups == 1
        return CHANNELS if pixelwise else IMAGE

    def executed(self, precision: Precision) -> Precision:
        """Weights of 8 bits, with dynamic activations where those wanted are static."""
        return dataclasses.replace(
            precision,
            weight_bits=max(precision.weight_bits, WEIGHT_BITS),
            static=False,
            block=None,
            asymmetric=False,
        )
