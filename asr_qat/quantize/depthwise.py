"""Convolutions of each channel by itself, with 8-bit weights.

In a file the weights are converted back to float once, when it is loaded: LiteRT computes with
floats as before, and as fast.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tensorflow import keras

from asr_qat.arrays import Array
from asr_qat.quantize.precision import Precision
from asr_qat.quantize.product_layer import Kernel, ProductLayer, quantized_layer
from asr_qat.quantize.products import Function

STOCK = (keras.layers.DepthwiseConv1D, keras.layers.DepthwiseConv2D)
SHARED = (  # arguments of the stock layers and of this one
    *("kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier"),
    *("use_bias", "activation", "bias_initializer", "bias_regularizer", "trainable", "dtype"),
)


@quantized_layer
class DepthwiseConv(ProductLayer, keras.layers.Layer):
    """A depthwise convolution in one or two directions; its kernel is a matrix `[taps, channels]`.

    The weights of a channel have one scale. Its inputs stay float.

    Args:
        kernel_size: taps in each direction: one number, or two.
        strides: as many.
        padding: `same`, `valid`, or in one direction `causal`.
        dilation_rate: as many.
        depth_multiplier: outputs of a channel.
        activation: a function of Keras.
        use_bias: add `[channels * depth_multiplier]`.
        initializers: of the kernel and the bias.
        regularizers: of the kernel and the bias.

    Call arguments:
        inputs: `[batch, steps, channels]` or `[batch, height, width, channels]`.
    """

    operation = "DepthwiseConv2dNative"
    device_axis = 3  # [1, height, width, channels]

    def __init__(
        self,
        kernel_size: Sequence[int],
        strides: Sequence[int] = (1, 1),
        padding: str = "valid",
        dilation_rate: Sequence[int] = (1, 1),
        depth_multiplier: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        self.kernel_size = tuple(kernel_size)
        self.strides = tuple(strides)
        self.padding = padding
        self.dilation_rate = tuple(dilation_rate)
        self.depth_multiplier = depth_multiplier
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.kernel_initializer = keras.initializers.get(kernel_initializer)
        self.bias_initializer = keras.initializers.get(bias_initializer)
        self.kernel_regularizer = keras.regularizers.get(kernel_regularizer)
        self.bias_regularizer = keras.regularizers.get(bias_regularizer)

    def build(self, input_shape: Any) -> None:
        taps = 1
        for size in self.kernel_size:
            taps *= size
        channels = input_shape[-1] * self.depth_multiplier
        self.kernel = self.add_weight(
            "kernel",
            [taps, channels],
            initializer=self.kernel_initializer,
            regularizer=self.kernel_regularizer,
        )
        self.bias = None
        if self.use_bias:
            self.bias = self.add_weight(
                "bias",
                [channels],
                initializer=self.bias_initializer,
                regularizer=self.bias_regularizer,
            )
        super().build(input_shape)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """`activation(inputs * kernel + bias)`, in which * is the convolution."""
        if not tf.is_tensor(self.kernel):
            return self.quantized_call(inputs, self.kernel, self.bias, self.activation)
        y = self.convolve(inputs, self.kernel)
        return self.activation(y if self.bias is None else tf.nn.bias_add(y, self.bias))

    def quantized_call(
        self, x: tf.Tensor, kernel: Kernel, bias: tf.Tensor | None, activation: Function
    ) -> tf.Tensor:
        """The same with the values of a quantized kernel."""
        y = self.convolve(x, kernel.values())
        return activation(y if bias is None else tf.nn.bias_add(y, bias))

    def device_order(self, integers: Array) -> Array:
        """As they are."""
        return integers

    def executed(self, precision: Precision) -> Precision:
        """Weights of 8 bits, a scale for each channel, and float activations."""
        return Precision(8, range="max" if precision.asymmetric else precision.range)

    def convolve(self, x: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
        """The convolution with a kernel `[taps, channels * depth_multiplier]`.

        In one direction `x` may also be what the device sees: images of height 1.
        """
        if self.padding == "causal":
            before = self.dilation_rate[0] * (self.kernel_size[0] - 1)
            x = tf.pad(x, [[0, 0], [before, 0], [0, 0]])
        one_way = len(self.kernel_size) == 1  # an image of height 1
        lacks_height = one_way and x.shape.rank == 3
        x = tf.expand_dims(x, 1) if lacks_height else x
        size = (1, *self.kernel_size) if one_way else self.kernel_size
        y = tf.nn.depthwise_conv2d(
            x,
            tf.reshape(kernel, [*size, x.shape[-1], self.depth_multiplier]),
            [1, *(self.strides * 2 if one_way else self.strides), 1],
            "VALID" if self.padding == "causal" else self.padding.upper(),
            dilations=(1, *self.dilation_rate) if one_way else self.dilation_rate,
        )
        return tf.squeeze(y, 1) if lacks_height else y

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
            "dilation_rate": self.dilation_rate,
            "depth_multiplier": self.depth_multiplier,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "kernel_initializer": keras.initializers.serialize(self.kernel_initializer),
            "bias_initializer": keras.initializers.serialize(self.bias_initializer),
            "kernel_regularizer": keras.regularizers.serialize(self.kernel_regularizer),
            "bias_regularizer": keras.regularizers.serialize(self.bias_regularizer),
        }


def is_stock(layer: keras.layers.Layer) -> bool:
    """Whether `product_of` takes the place of a layer."""
    return type(layer) in STOCK and layer.data_format == "channels_last"


def product_of(layer: keras.layers.Layer) -> DepthwiseConv:
    """The same convolution as a stock layer, with its name and weights."""
    kernel = stock_matrix(layer)
    found = DepthwiseConv(**stock_config(layer), name=layer.name)
    found.build([None, kernel.shape[-1] // layer.depth_multiplier])
    found.set_weights([kernel, *(weight.numpy() for weight in layer.weights[1:])])
    return found


def stock_config(layer: keras.layers.Layer) -> dict[str, Any]:
    """The arguments of a depthwise convolution that does what a stock layer does."""
    config = layer.get_config()
    found = {key: config[key] for key in SHARED if key in config}
    found["kernel_initializer"] = config["depthwise_initializer"]
    found["kernel_regularizer"] = config["depthwise_regularizer"]
    return found


def stock_matrix(layer: keras.layers.Layer) -> Array:
    """The depthwise kernel `[..., channels, outputs of each]` as `[taps, channels * outputs]`."""
    kernel: Array = layer.depthwise_kernel.numpy()
    matrix: Array = kernel.reshape(-1, kernel.shape[-2] * kernel.shape[-1])
    return matrix
