"""Convolutions of stock layers. One of 1x1 is a dense product of each pixel."""

from typing import Any

from tensorflow import keras

from asr_qat.quantize.stock.dense import dense_like
from asr_qat.quantize.stock.rewrite import Call, Rewriter


def rewrite_conv2d(layer: keras.layers.Conv2D, rewriter: Rewriter) -> Call | None:
    """A dense product, of every pixel or of every other one."""
    if layer.kernel_size != (1, 1) or layer.groups != 1 or layer.data_format != "channels_last":
        return None
    product = dense_like(layer, rewriter, layer.kernel.numpy()[0, 0])
    if layer.strides == (1, 1):
        return product
    # A stock layer that takes every n-th pixel.
    config = {"pool_size": 1, "strides": layer.strides}
    step = rewriter.layer(keras.layers.MaxPooling2D, f"{layer.name}.step", config, [])

    def call(x: Any) -> Any:
        return product(step(x))

    return call
