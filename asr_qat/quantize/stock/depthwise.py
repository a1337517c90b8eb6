"""Depthwise convolutions of stock layers, alone and before the dense product of a separable one."""

from typing import Any

from tensorflow import keras

from asr_qat.arrays import Array
from asr_qat.quantize.depthwise import DepthwiseConv
from asr_qat.quantize.stock.dense import dense_like, shared_config
from asr_qat.quantize.stock.folding import folded_weights
from asr_qat.quantize.stock.masks import Masks
from asr_qat.quantize.stock.rewrite import Call, Rewriter

NOT_LAST = "its channels are not the last axis"  # why a layer stays


def rewrite_depthwise(layer: keras.layers.Layer, rewriter: Rewriter) -> Call | str:
    """The same convolution."""
    if layer.data_format != "channels_last":
        return NOT_LAST
    config = {**_config(layer), **shared_config(layer)}
    weights = folded_weights(layer, rewriter, _matrix(layer))
    config["use_bias"] = len(weights) == 2
    product = rewriter.layer(DepthwiseConv, layer.name, config, weights)
    masks = Masks(rewriter, layer.name)
    return lambda x, **_: product(masks.off(x))


def rewrite_separable(layer: keras.layers.Layer, rewriter: Rewriter) -> Call | str:
    """A convolution of each channel, then a dense product."""
    if layer.data_format != "channels_last":
        return NOT_LAST
    config = {**_config(layer), "use_bias": False}
    depthwise = rewriter.layer(DepthwiseConv, f"{layer.name}.depthwise", config, [_matrix(layer)])
    pointwise = layer.pointwise_kernel.numpy()
    pointwise = pointwise.reshape(pointwise.shape[-2:])
    product = dense_like(layer, rewriter, pointwise, f"{layer.name}.pointwise")
    masks = Masks(rewriter, layer.name)
    return lambda x, **_: product(depthwise(masks.off(x)))


def _matrix(layer: keras.layers.Layer) -> Array:
    """The depthwise kernel `[..., channels, outputs of each]` as `[taps, channels * outputs]`."""
    kernel: Array = layer.depthwise_kernel.numpy()
    matrix: Array = kernel.reshape(-1, kernel.shape[-2] * kernel.shape[-1])
    return matrix


def _config(layer: keras.layers.Layer) -> dict[str, Any]:
    config = layer.get_config()
    own = ("kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier")
    found = {key: config[key] for key in own}
    found["kernel_initializer"] = config["depthwise_initializer"]
    found["kernel_regularizer"] = config["depthwise_regularizer"]
    return {**found, "trainable": config["trainable"], "dtype": config["dtype"]}
