"""Which file knows which stock layer."""

from tensorflow import keras

from asr_qat.quantize.stock.attention import rewrite_attention
from asr_qat.quantize.stock.convolution import rewrite_conv
from asr_qat.quantize.stock.dense import rewrite_dense
from asr_qat.quantize.stock.depthwise import rewrite_depthwise, rewrite_separable
from asr_qat.quantize.stock.einsum import rewrite_einsum_dense
from asr_qat.quantize.stock.embedding import rewrite_embedding
from asr_qat.quantize.stock.folding import find_folds, fold_batch_normalization
from asr_qat.quantize.stock.recurrent import rewrite_bidirectional, rewrite_recurrent
from asr_qat.quantize.stock.rewrite import Rewriter, Rule
from asr_qat.quantize.stock.time_distributed import rewrite_time_distributed

RULES: dict[type[keras.layers.Layer], Rule] = {
    keras.layers.BatchNormalization: fold_batch_normalization,
    keras.layers.Bidirectional: rewrite_bidirectional,
    keras.layers.Conv1D: rewrite_conv,
    keras.layers.Conv2D: rewrite_conv,
    keras.layers.Dense: rewrite_dense,
    keras.layers.DepthwiseConv1D: rewrite_depthwise,
    keras.layers.DepthwiseConv2D: rewrite_depthwise,
    keras.layers.EinsumDense: rewrite_einsum_dense,
    keras.layers.Embedding: rewrite_embedding,
    keras.layers.GRU: rewrite_recurrent,
    keras.layers.LSTM: rewrite_recurrent,
    keras.layers.MultiHeadAttention: rewrite_attention,
    keras.layers.SeparableConv1D: rewrite_separable,
    keras.layers.SeparableConv2D: rewrite_separable,
    keras.layers.TimeDistributed: rewrite_time_distributed,
}


def stock_rewriter(patches: str | None = None) -> Rewriter:
    """What makes layers with one quantizable product each of stock layers.

    After `rewrite`, its `left` are the layers with weights that stay float.

    Args:
        patches: regular expression, searched in the names of convolutions: these become dense
            products of patches, which may have weights of 4 or 2 bits.
    """
    return Rewriter(RULES, find_folds, patches)


def in_products(model: keras.Model, patches: str | None = None) -> keras.Model:
    """The same function of layers with one quantizable product each, see `asr_qat.quantize.stock`.

    Args:
        model: a Functional model, or a Sequential one that is built.
        patches: as of `stock_rewriter`.

    Raises:
        UserError: the model is neither.
    """
    return stock_rewriter(patches).rewrite(model)
