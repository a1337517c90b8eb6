"""Convolutions of stock layers. One of one element is a dense product of each pixel."""

from typing import Any

from tensorflow import keras

from asr_qat.quantize.stock.dense import dense_like
from asr_qat.quantize.stock.depthwise import NOT_LAST
from asr_qat.quantize.stock.masks import Masks
from asr_qat.quantize.stock.rewrite import Call, Rewriter

Conv = keras.layers.Conv1D | keras.layers.Conv2D
STEPS = {1: keras.layers.MaxPooling1D, 2: keras.layers.MaxPooling2D}


def rewrite_conv(layer: Conv, rewriter: Rewriter) -> Call | str:
    """A dense product, of every pixel or of every other one."""
    if layer.data_format != "channels_last":
        return NOT_LAST
    if layer.groups != 1:
        return f"it has {layer.groups} groups of channels"
    if max(layer.kernel_size) != 1:
        return f"its kernel has {' x '.join(map(str, layer.kernel_size))} elements"
    kernel = layer.kernel.numpy()
    product = dense_like(layer, rewriter, kernel.reshape(kernel.shape[-2:]))
    masks, step = Masks(rewriter, layer.name), None
    if max(layer.strides) != 1:
        # A stock layer that takes every n-th pixel.
        config = {"pool_size": 1, "strides": layer.strides}
        step = rewriter.layer(STEPS[layer.rank], f"{layer.name}.step", config, [])

    def call(x: Any, **_: Any) -> Any:
        x = masks.off(x)
        return product(x if step is None else step(x))

    return call
