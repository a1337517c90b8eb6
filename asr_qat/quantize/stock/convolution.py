"""Convolutions of stock layers. One of one element is a dense product of each pixel."""

from typing import Any

from tensorflow import keras

from asr_qat.quantize.conv import Conv2D
from asr_qat.quantize.stock.dense import dense_like, shared_config
from asr_qat.quantize.stock.depthwise import NOT_LAST
from asr_qat.quantize.stock.folding import folded_weights
from asr_qat.quantize.stock.masks import Masks
from asr_qat.quantize.stock.patches import Patches
from asr_qat.quantize.stock.rewrite import Call, Rewriter
from asr_qat.quantize.stock.shapes import FromImage, ToImage

STEPS = {1: keras.layers.MaxPooling1D, 2: keras.layers.MaxPooling2D}


def rewrite_conv(layer: keras.layers.Layer, rewriter: Rewriter) -> Call | str:
    """A dense product of pixels or of patches, or a convolution."""
    if layer.data_format != "channels_last":
        return NOT_LAST
    if layer.groups != 1:
        return f"it has {layer.groups} groups of channels"
    called = bool(layer.inbound_nodes)  # not inside of another layer
    if called and len(layer.get_input_shape_at(0)) != layer.rank + 2:
        return "it has more than one axis of batches"
    if max(layer.kernel_size) == 1:
        steps = _pixels(layer, rewriter)
    elif rewriter.as_patches(layer):
        steps = _patches(layer, rewriter)
    else:
        steps = _convolution(layer, rewriter)
    masks = Masks(rewriter, layer.name)

    def call(x: Any, **_: Any) -> Any:
        x = masks.off(x)
        for step in steps:
            x = step(x)
        return x

    return call


def _pixels(layer: keras.layers.Layer, rewriter: Rewriter) -> list[keras.layers.Layer]:
    """A dense product of every pixel, or of every other one."""
    kernel = layer.kernel.numpy()
    product = dense_like(layer, rewriter, kernel.reshape(kernel.shape[-2:]))
    if max(layer.strides) == 1:
        return [product]
    # A stock layer that takes every n-th pixel.
    config = {"pool_size": 1, "strides": layer.strides}
    return [rewriter.layer(STEPS[layer.rank], f"{layer.name}.step", config, []), product]


def _patches(layer: keras.layers.Layer, rewriter: Rewriter) -> list[keras.layers.Layer]:
    """A dense product of the patches that the kernel sees: more work, but any width."""
    config = {key: getattr(layer, key) for key in ("kernel_size", "strides", "dilation_rate")}
    config["padding"] = layer.padding
    kernel = layer.kernel.numpy()
    return [
        rewriter.layer(Patches, f"{layer.name}.patches", config, []),
        dense_like(layer, rewriter, kernel.reshape(-1, kernel.shape[-1])),
    ]


def _convolution(layer: keras.layers.Layer, rewriter: Rewriter) -> list[keras.layers.Layer]:
    """A convolution; in one direction, that of an image of height 1."""
    config = {key: getattr(layer, key) for key in ("filters", "padding")}
    for key in ("kernel_size", "strides", "dilation_rate"):
        value = getattr(layer, key)
        config[key] = value if layer.rank == 2 else (1, *value)
    kernel = layer.kernel.numpy()
    kernel = kernel if layer.rank == 2 else kernel[None]
    weights = folded_weights(layer, rewriter, kernel)
    config |= shared_config(layer) | {"use_bias": len(weights) == 2}
    before = after = []
    if layer.rank == 1:
        causal = layer.padding == "causal"
        pad = layer.dilation_rate[0] * (layer.kernel_size[0] - 1) if causal else 0
        config["padding"] = "valid" if causal else layer.padding
        before = [rewriter.layer(ToImage, f"{layer.name}.to_image", {"before": pad}, [])]
        after = [rewriter.layer(FromImage, f"{layer.name}.from_image", {}, [])]
    return [*before, rewriter.layer(Conv2D, layer.name, config, weights), *after]
