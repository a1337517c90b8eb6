"""Convolutions of stock layers. One of 1x1 is a dense product of each pixel."""

from typing import Any

from tensorflow import keras

from asr_qat.quantize.conv import Conv2D
from asr_qat.quantize.stock.dense import dense_like, shared_config
from asr_qat.quantize.stock.folding import folded_weights
from asr_qat.quantize.stock.rewrite import Call, Rewriter


def rewrite_conv2d(layer: keras.layers.Conv2D, rewriter: Rewriter) -> Call | None:
    """A convolution, or of a kernel of 1x1 a dense product of every pixel or every other one."""
    if layer.groups != 1 or layer.data_format != "channels_last":
        return None
    if layer.kernel_size != (1, 1):
        return _convolution(layer, rewriter)
    product = dense_like(layer, rewriter, layer.kernel.numpy()[0, 0])
    if layer.strides == (1, 1):
        return product
    # A stock layer that takes every n-th pixel.
    config = {"pool_size": 1, "strides": layer.strides}
    step = rewriter.layer(keras.layers.MaxPooling2D, f"{layer.name}.step", config, [])

    def call(x: Any) -> Any:
        return product(step(x))

    return call


def _convolution(layer: keras.layers.Conv2D, rewriter: Rewriter) -> Conv2D:
    weights = folded_weights(layer, rewriter, layer.kernel.numpy())
    geometry = ("filters", "kernel_size", "strides", "padding", "dilation_rate")
    given = layer.get_config()
    config = {**shared_config(layer), **{key: given[key] for key in geometry}}
    return rewriter.layer(Conv2D, layer.name, {**config, "use_bias": len(weights) == 2}, weights)
