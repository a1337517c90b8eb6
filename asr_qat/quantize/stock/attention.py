"""MultiHeadAttention: four dense products around a layer without weights."""

import math
from typing import Any

import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.stock.einsum import contraction, einsum_product
from asr_qat.quantize.stock.masks import Masks, kernel_free
from asr_qat.quantize.stock.rewrite import Call, Rewriter
from asr_qat.quantize.stock.shapes import lengths

MASKED = -1e9  # added to a score that a mask excludes
MASKED_FLOAT16 = -3e4


@kernel_free
class DotProductAttention(keras.layers.Layer):
    """`softmax(query key^T / sqrt(channels)) value` of each head (Vaswani et al., 2017).

    Args:
        dropout: share of the weights that are zero in training.

    Call arguments:
        inputs: query `[batch, queries, heads, channels]`, key `[batch, keys, heads, channels]`,
            value `[batch, keys, heads, value channels]`, and maybe a mask `[batch, queries, keys]`
            or `[batch, heads, queries, keys]`, true where a query attends to a key.
        use_causal_mask: a query attends to keys up to its own place.
        return_attention_scores: give the weights, too.
        mask: Keras masks of the inputs: the weights of masked places are those of no others.

    Returns:
        `[batch, queries, heads, value channels]`; and the weights
        `[batch, heads, queries, keys]`.
    """

    def __init__(self, dropout: float = 0.0, **kwargs: Any):
        super().__init__(**kwargs)
        self.dropout = dropout
        self.supports_masking = True

    def call(
        self,
        inputs: list[tf.Tensor],
        mask: list[tf.Tensor | None] | None = None,
        training: bool | None = None,
        use_causal_mask: bool = False,
        return_attention_scores: bool = False,
    ) -> Any:
        query, key, value, *given = inputs
        query = tf.transpose(query * (1.0 / math.sqrt(query.shape[-1])), [0, 2, 1, 3])
        key, value = (tf.transpose(each, [0, 2, 1, 3]) for each in (key, value))
        scores = tf.matmul(query, key, transpose_b=True)
        allowed = self._allowed(scores, given[0] if given else None, mask, use_causal_mask)
        if allowed is not None:
            masked = MASKED_FLOAT16 if scores.dtype == tf.float16 else MASKED
            scores += (1.0 - tf.cast(allowed, scores.dtype)) * masked
        weights = tf.nn.softmax(scores)
        dropped = weights
        if training and self.dropout:
            dropped = tf.nn.dropout(weights, self.dropout)
        outputs = tf.transpose(tf.matmul(dropped, value), [0, 2, 1, 3])
        return (outputs, weights) if return_attention_scores else outputs

    def _allowed(
        self, scores: tf.Tensor, given: tf.Tensor | None, masks: Any, causal: bool
    ) -> tf.Tensor | None:
        """Which query attends to which key, `[batch or 1, heads or 1, queries or 1, keys]`."""
        found = []
        if given is not None:
            given = tf.cast(given, tf.bool)
            for _ in range(4 - given.shape.rank):
                given = tf.expand_dims(given, -3)
            found.append(given)
        of_query, *of_keys = (list(masks) if masks is not None else [None] * 3)[:3]
        if of_query is not None:
            found.append(of_query[:, tf.newaxis, :, tf.newaxis])
        found += [each[:, tf.newaxis, tf.newaxis, :] for each in of_keys if each is not None]
        if causal:
            queries, keys = lengths(scores)[2:]
            found.append(tf.range(keys)[tf.newaxis] <= tf.range(queries)[:, tf.newaxis])
        if not found:
            return None
        allowed = found[0]
        for each in found[1:]:
            allowed = tf.logical_and(allowed, each)
        return allowed

    def compute_mask(self, inputs: list[tf.Tensor], mask: Any = None) -> Any:
        return None

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "dropout": self.dropout}


def rewrite_attention(layer: keras.layers.MultiHeadAttention, rewriter: Rewriter) -> Call | str:
    """Products of query, key and value, the attention, and the product of what it gives."""
    shapes = (layer._query_shape, layer._value_shape, layer._key_shape)
    if any(shape.rank != 3 for shape in shapes) or tuple(layer._attention_axes) != (1,):
        return "it attends over more than one axis"
    masks = Masks(rewriter, layer.name)

    def product(name: str, inner: keras.layers.EinsumDense) -> Call:
        found = contraction(inner.equation)
        assert found is not None
        return einsum_product(inner, rewriter, f"{layer.name}.{name}", found)

    of_query, of_key, of_value, of_output = (
        product(inner.name, inner)
        for inner in (
            layer._query_dense,
            layer._key_dense,
            layer._value_dense,
            layer._output_dense,
        )
    )
    attention = rewriter.layer(
        DotProductAttention, f"{layer.name}.attention", {"dropout": layer._dropout}, []
    )

    def call(
        query: Any,
        value: Any,
        key: Any = None,
        attention_mask: Any = None,
        return_attention_scores: bool = False,
        **more: Any,
    ) -> Any:
        key = value if key is None else key
        pairs = ((of_query, query), (of_key, key), (of_value, value))
        given = [masks.back(project(masks.off(x)), x) for project, x in pairs]
        given += [] if attention_mask is None else [attention_mask]
        found = attention(given, return_attention_scores=return_attention_scores, **more)
        outputs, *weights = found if isinstance(found, tuple) else [found]
        outputs = masks.back(of_output(outputs), query)
        return [outputs, *weights] if weights else outputs

    return call
