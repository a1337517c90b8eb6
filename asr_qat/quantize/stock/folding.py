"""Batch normalisation after a product becomes a part of it.

On the device a normalisation with fixed statistics is a factor and an offset of each channel. A
converter multiplies the factor into the weights before it, which then no longer are what was
trained. So it is multiplied in before the training: `kernel * gamma / sqrt(variance + epsilon)`,
and the statistics stay fixed from there on (as in Jacob et al., 2018, section 3.2, at their end).
"""

from collections.abc import Iterator

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat.arrays import Array
from asr_qat.compat import nodes
from asr_qat.quantize.stock.rewrite import Call, Folds, Rewriter, require_graph

FOLDABLE = (
    keras.layers.Dense,
    keras.layers.Conv1D,
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv2D,
    keras.layers.SeparableConv1D,
    keras.layers.SeparableConv2D,
)


def find_folds(model: keras.Model) -> Folds:
    """Layers without activation whose outputs nothing but one batch normalisation reads.

    Not where one of the two is called several times, be it in a model inside of this one or as the
    layer inside of another layer, or in training mode whatever the model does.
    """
    readers: dict[int, list[keras.layers.Layer]] = {}
    makers: dict[int, keras.layers.Layer] = {}
    calls: list[keras.layers.Layer] = []
    outputs, seen, by_batch = set(), set(), set()
    for part, training in _models(model):
        outputs |= {id(y) for y in tf.nest.flatten(part.outputs)}
        for node in nodes(part):
            if training or node.call_kwargs.get("training"):
                by_batch.add(id(node.layer))  # the statistics are those of the batch, always
            if id(node) in seen:  # models may have layers, and their calls, in common
                continue
            seen.add(id(node))
            calls.append(node.layer)
            if isinstance(node.layer, keras.layers.Wrapper):
                calls.append(node.layer.layer)
            for x in node.keras_inputs:
                readers.setdefault(id(x), []).append(node.layer)
            for y in tf.nest.flatten(node.outputs):
                makers[id(y)] = node.layer
    found = {}
    for y, layer in makers.items():
        if not isinstance(layer, FOLDABLE) or y in outputs or len(readers.get(y, [])) != 1:
            continue
        (reader,) = readers[y]
        alone = calls.count(layer) == calls.count(reader) == 1 and id(reader) not in by_batch
        if alone and _last_axis(reader) and layer.activation is keras.activations.linear:
            found[id(layer)] = reader
    return found


def _models(model: keras.Model, training: bool = False) -> Iterator[tuple[keras.Model, bool]]:
    """The model and, for each of their calls, those inside; whether called in training mode."""
    require_graph(model)
    yield model, training
    for node in nodes(model):
        if isinstance(node.layer, keras.Model):
            yield from _models(node.layer, training or bool(node.call_kwargs.get("training")))


def fold_batch_normalization(
    layer: keras.layers.BatchNormalization, rewriter: Rewriter
) -> Call | str:
    """Nothing in its place, if the layer before it takes it over."""
    if rewriter.is_taken(layer):
        return lambda x, **_: x
    return "no product before it could take it over; its weights are vectors: they take few bytes"


def factor_and_offset(layer: keras.layers.BatchNormalization) -> tuple[Array, Array]:
    """What the normalisation multiplies by and adds, with its statistics: `[channels]` each."""
    deviation = np.sqrt(layer.moving_variance.numpy() + layer.epsilon)
    factor = (layer.gamma.numpy() if layer.scale else 1.0) / deviation
    offset = (layer.beta.numpy() if layer.center else 0.0) - layer.moving_mean.numpy() * factor
    return factor, offset


def folded_weights(layer: keras.layers.Layer, rewriter: Rewriter, kernel: Array) -> list[Array]:
    """Kernel and bias of a layer with what it takes over; the kernel alone if it has no bias.

    Args:
        layer: with a bias or without.
        rewriter: knows the normalisation.
        kernel: `[..., channels]`, the last one of the layer.
    """
    bias = layer.bias.numpy() if layer.use_bias else None
    normalization = rewriter.take_fold(layer)
    if normalization is not None:
        factor, offset = factor_and_offset(normalization)
        kernel = kernel * factor
        bias = offset if bias is None else bias * factor + offset
    return [kernel] if bias is None else [kernel, bias]


def _last_axis(layer: keras.layers.Layer) -> bool:
    if type(layer) is not keras.layers.BatchNormalization:
        return False
    return list(layer.axis) == [layer.input_spec.ndim - 1]
