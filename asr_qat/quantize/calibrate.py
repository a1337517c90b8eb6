"""Static ranges of activations from data, where a quantized model begins."""

from collections.abc import Iterable, Mapping
from typing import Any

import tensorflow as tf
from tensorflow import keras

from asr_qat.errors import require
from asr_qat.quantize.apply import QuantizedLayer


def needs_calibration(layers: Mapping[str, QuantizedLayer]) -> bool:
    """Whether any of the layers has static ranges."""
    return any(layer.precision.static for layer in layers.values())


def calibrate(
    layers: Mapping[str, QuantizedLayer], plain: keras.Model, batches: Iterable[Any]
) -> None:
    """Set the static ranges of quantized layers to those in the float model.

    The ends of a range are the means over the batches of the least and the greatest value.

    Args:
        layers: by name; their ranges are changed in place.
        plain: the float model that they were made from.
        batches: inputs of the model: `(features, lengths)`, or with the labels of a transducer.
    """
    layers = {name: layer for name, layer in layers.items() if layer.precision.static}
    inputs = keras.Model(plain.inputs, {name: plain.get_layer(name).input for name in layers})
    totals = {name: tf.zeros(4) for name in layers}

    @tf.function(reduce_retracing=True)  # batches have many lengths
    def extremes(batch: Any) -> dict[str, tf.Tensor]:
        found = inputs(batch, training=False)
        return {name: _extremes(found[name], plain.get_layer(name)) for name in layers}

    count = 0
    for batch in batches:
        for name, ends in extremes(batch).items():
            totals[name] += ends
        count += 1
    require(count > 0, "calibration: there is no batch in it")
    for name, layer in layers.items():
        _assign(layer, totals[name] / count)


def _extremes(x: tf.Tensor, layer: keras.layers.Dense) -> tf.Tensor:
    """Least and greatest value of a layer's input, and of what the device rounds after it."""
    y = tf.tensordot(x, layer.kernel, 1)
    y = y if layer.bias is None else y + layer.bias
    y = tf.nn.relu(y) if layer.activation is keras.activations.relu else y
    return tf.stack([tf.reduce_min(x), tf.reduce_max(x), tf.reduce_min(y), tf.reduce_max(y)])


def _assign(layer: QuantizedLayer, ends: tf.Tensor) -> None:
    names = ("input_low", "input_high", "output_low", "output_high")
    for name, end in zip(names, tf.unstack(ends), strict=True):
        layer.variables[name].assign(end)
