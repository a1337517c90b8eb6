"""Dense products of stock layers."""

from typing import Any

from tensorflow import keras

from asr_qat.arrays import Array
from asr_qat.quantize.dense import Dense
from asr_qat.quantize.stock.folding import folded_weights
from asr_qat.quantize.stock.masks import around_mask
from asr_qat.quantize.stock.rewrite import Call, Rewriter

# What a layer's arguments and those of the product in its place have in common.
SHARED = (
    "dtype",
    "trainable",
    "activation",
    "kernel_initializer",
    "bias_initializer",
    "kernel_regularizer",
    "bias_regularizer",
    "activity_regularizer",
)


def shared_config(layer: keras.layers.Layer) -> dict[str, Any]:
    """The arguments that a product takes over from the layer that it is in place of."""
    config = layer.get_config()
    return {key: config[key] for key in SHARED if key in config}


def dense_like(
    layer: keras.layers.Layer, rewriter: Rewriter, kernel: Array, name: str | None = None
) -> Dense:
    """A product with the activation, the bias and what is folded into a layer.

    Args:
        layer: whose last step it is.
        rewriter: makes it.
        kernel: `[input, output]`.
        name: None: that of the layer.
    """
    weights = folded_weights(layer, rewriter, kernel)
    config = {**shared_config(layer), "units": kernel.shape[-1], "use_bias": len(weights) == 2}
    return rewriter.layer(Dense, name or layer.name, config, weights)


def rewrite_dense(layer: keras.layers.Dense, rewriter: Rewriter) -> Call:
    """The same product."""
    return around_mask(rewriter, layer.name, dense_like(layer, rewriter, layer.kernel.numpy()))
