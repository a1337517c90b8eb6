"""What layers with a quantized product have in common, whatever the shape of the product."""

from typing import Any, ClassVar, TypeVar

import tensorflow as tf
from tensorflow import keras

from asr_qat.arrays import Array
from asr_qat.quantize.device_kernel import DeviceKernel
from asr_qat.quantize.precision import Precision
from asr_qat.quantize.products import Function, QuantizedKernel

LayerClass = TypeVar("LayerClass", bound=type[keras.layers.Layer])
Kernel = QuantizedKernel | DeviceKernel  # in place of the weights
QUANTIZED_LAYERS: dict[str, type[keras.layers.Layer]] = {}  # by name, see `quantized_layer`


def quantized_layer(cls: LayerClass) -> LayerClass:
    """Class decorator: Keras finds the layer by its name when a model is cloned or loaded."""
    QUANTIZED_LAYERS[cls.__name__] = cls
    registered: LayerClass = keras.utils.register_keras_serializable("asr_qat")(cls)
    return registered


class ProductLayer:
    """Mixin of a Keras layer whose product with a kernel `[..., output]` can be quantized.

    The layer is the stock one until a quantizer replaces its kernel by a `QuantizedKernel`. To
    the quantizer every kernel is a matrix `[input, output]`: all axes but the last are the
    inputs of an output channel.

    Attributes:
        name: of the layer.
        operation: TensorFlow's name of the product.
        multiplies_rows: whether all the layer does before its bias and activation is to multiply
            the rows of its input, `[..., input]`, by its kernel `[input, output]`.
        device_axis: of the device's weights, along which each index has a scale of its own.
        kernel: float `[..., output]`, or a `QuantizedKernel`.
        use_bias: whether it has one.
        bias: `[output]`, or None.
        activation: a function of Keras.
        weights: all of them, as of any layer.
        load_own_variables: reads them, as of any layer.
        offset: float `[output]` that an exported model adds to the rows of the kernel, or None.
    """

    name: str
    operation: ClassVar[str]
    multiplies_rows: ClassVar[bool] = False
    device_axis: ClassVar[int] = 0
    kernel: Any
    use_bias: bool
    bias: Any
    activation: Function
    weights: Any
    load_own_variables: Any
    offset: Any = None

    def device_shape(self) -> tuple[int, ...]:
        """Shape of the kernel that is an input of an exported graph, see `DeviceKernel`."""
        return tuple(self.kernel.shape)

    def device_order(self, integers: Array) -> Array:
        """The integers of a kernel in the order of the device, whatever the shape.

        Args:
            integers: `[input, output]`, as the quantizer gives them.
        """
        return integers.T

    def executed(self, precision: Precision) -> Precision:
        """The precision of this layer, which has weights already, where `precision` is wanted."""
        raise NotImplementedError

    def quantized_call(
        self, x: tf.Tensor, kernel: Kernel, bias: tf.Tensor | None, activation: Function
    ) -> tf.Tensor:
        """`activation(x * kernel + bias)`, where * is the product of this layer."""
        raise NotImplementedError
