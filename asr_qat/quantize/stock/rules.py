"""Which file knows which stock layer."""

from tensorflow import keras

from asr_qat.quantize.stock.convolution import rewrite_conv2d
from asr_qat.quantize.stock.dense import rewrite_dense
from asr_qat.quantize.stock.folding import find_folds, fold_batch_normalization
from asr_qat.quantize.stock.rewrite import Rewriter, Rule

RULES: dict[type[keras.layers.Layer], Rule] = {
    keras.layers.BatchNormalization: fold_batch_normalization,
    keras.layers.Conv2D: rewrite_conv2d,
    keras.layers.Dense: rewrite_dense,
}


def in_products(model: keras.Model) -> keras.Model:
    """The same function of layers with one quantizable product each, see `asr_qat.quantize.stock`.

    Args:
        model: a Functional model, or a Sequential one that is built.

    Raises:
        UserError: the model is neither.
    """
    return Rewriter(RULES, find_folds).rewrite(model)
