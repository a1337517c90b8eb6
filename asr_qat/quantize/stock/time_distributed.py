"""TimeDistributed: what is in it, of all steps at once."""

import inspect
from typing import Any

from tensorflow import keras

from asr_qat.quantize.stock.masks import Masks
from asr_qat.quantize.stock.rewrite import Call, Rewriter
from asr_qat.quantize.stock.shapes import BatchToSteps, StepsToBatch

PER_CHANNEL = (keras.layers.Dense,)  # take an input of any rank


def rewrite_time_distributed(layer: keras.layers.TimeDistributed, rewriter: Rewriter) -> Call | str:
    """The replacement of the inner layer, with the steps in the batch or as an axis more."""
    inner = layer.layer
    takes_masks = "mask" in inspect.signature(inner.call).parameters
    if takes_masks or isinstance(inner, keras.layers.Embedding | keras.layers.Masking):
        return f"{type(inner).__name__} in it may read or make masks of single steps"
    masks = Masks(rewriter, layer.name)
    with rewriter.inside(layer.name):
        replacement = rewriter.replacement(inner)
    if type(inner) in PER_CHANNEL:
        return lambda x, **_: masks.back(replacement(masks.off(x)), x)
    to_batch = rewriter.layer(StepsToBatch, f"{layer.name}.to_batch", {}, [])
    to_steps = rewriter.layer(BatchToSteps, f"{layer.name}.to_steps", {}, [])

    def call(x: Any, **_: Any) -> Any:
        plain = masks.off(x)
        return masks.back(to_steps([replacement(to_batch(plain)), plain]), x)

    return call
