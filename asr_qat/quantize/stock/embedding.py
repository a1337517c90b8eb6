"""Embeddings of stock layers."""

from typing import Any

import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.rows import RowEmbedding
from asr_qat.quantize.stock.masks import Masks, kernel_free
from asr_qat.quantize.stock.rewrite import Call, Rewriter


@kernel_free
class MaskZero(keras.layers.Layer):
    """Rows `[..., units]`, with a Keras mask of where their ids `[...]` are not 0."""

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs, autocast=False)
        self.supports_masking = True

    def call(self, inputs: list[tf.Tensor]) -> tf.Tensor:
        return tf.identity(inputs[0])

    def compute_mask(self, inputs: list[tf.Tensor], mask: Any = None) -> tf.Tensor:
        return tf.not_equal(inputs[1], 0)


def rewrite_embedding(layer: keras.layers.Embedding, rewriter: Rewriter) -> Call | str:
    """A table with a scale for each row."""
    if layer.sparse:
        return "its ids are a sparse tensor"
    config = layer.get_config()
    given = {
        "vocabulary": layer.input_dim,
        "units": layer.output_dim,
        "kernel_initializer": config["embeddings_initializer"],
        "kernel_regularizer": config["embeddings_regularizer"],
        **{key: config[key] for key in ("dtype", "trainable")},
    }
    table = rewriter.layer(RowEmbedding, layer.name, given, layer.get_weights())
    mask_zero = None
    if layer.mask_zero:
        mask_zero = rewriter.layer(MaskZero, f"{layer.name}.mask_zero", {}, [])
    masks = Masks(rewriter, layer.name)

    def call(ids: Any, **_: Any) -> Any:
        ids = masks.off(ids)
        rows = table(ids)
        return rows if mask_zero is None else mask_zero([rows, ids])

    return call
