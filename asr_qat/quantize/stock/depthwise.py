"""Depthwise convolutions of stock layers, alone and before the dense product of a separable one."""

from tensorflow import keras

from asr_qat.quantize.depthwise import DepthwiseConv, stock_config, stock_matrix
from asr_qat.quantize.stock.dense import dense_like, shared_config
from asr_qat.quantize.stock.folding import folded_weights
from asr_qat.quantize.stock.masks import Masks
from asr_qat.quantize.stock.rewrite import Call, Rewriter

NOT_LAST = "its channels are not the last axis"  # why a layer stays


def rewrite_depthwise(layer: keras.layers.Layer, rewriter: Rewriter) -> Call | str:
    """The same convolution."""
    if layer.data_format != "channels_last":
        return NOT_LAST
    config = {**stock_config(layer), **shared_config(layer)}
    weights = folded_weights(layer, rewriter, stock_matrix(layer))
    config["use_bias"] = len(weights) == 2
    product = rewriter.layer(DepthwiseConv, layer.name, config, weights)
    masks = Masks(rewriter, layer.name)
    return lambda x, **_: product(masks.off(x))


def rewrite_separable(layer: keras.layers.Layer, rewriter: Rewriter) -> Call | str:
    """A convolution of each channel, then a dense product."""
    if layer.data_format != "channels_last":
        return NOT_LAST
    config = {**stock_config(layer), "use_bias": False, "activation": None}
    name, kernel = f"{layer.name}.depthwise", stock_matrix(layer)
    depthwise = rewriter.layer(DepthwiseConv, name, config, [kernel])
    pointwise = layer.pointwise_kernel.numpy()
    pointwise = pointwise.reshape(pointwise.shape[-2:])
    product = dense_like(layer, rewriter, pointwise, f"{layer.name}.pointwise")
    masks = Masks(rewriter, layer.name)
    return lambda x, **_: product(depthwise(masks.off(x)))
