"""From a quantized Keras model to a plain float model and the integers of its layers.

Every kernel of the plain model holds the values that its integers and scales stand for, so that
the converter sees the numbers that the device will compute with; packing puts the trained
integers in their place.
"""

import dataclasses

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat.errors import UserError
from asr_qat.models.model_directory import Recogniser, build_float
from asr_qat.quantize.apply import QuantizedLayer, quantized_layers
from asr_qat.quantize.dense import Dense
from asr_qat.quantize.precision import Precision


@dataclasses.dataclass(frozen=True)
class BakedLayer:
    """What the file holds of a quantized layer.

    Attributes:
        precision: of the layer.
        integers: int8 `[output, input]`.
        scale: float32 `[output]`, or `[output, blocks]`.
        input: scale and zero point of static activations, else None.
        output: the same of the layer's output.
    """

    precision: Precision
    integers: np.ndarray
    scale: np.ndarray
    input: tuple[float, int] | None = None
    output: tuple[float, int] | None = None


def bake(recogniser: Recogniser) -> tuple[keras.Model, dict[str, BakedLayer]]:
    """The plain model of a recogniser, and its quantized layers by name.

    Args:
        recogniser: quantized or not; without wrappers the weights are taken as they are.

    Raises:
        UserError: a precision that the device does not execute.
    """
    plain = build_float(recogniser.config, recogniser.tokenizer.vocab_size)
    quantized, training_only = layers_in_file(recogniser), recogniser.config.kind.training_only
    baked = {}
    for layer in plain.layers:
        if layer.name not in quantized:
            if layer.name not in training_only:
                layer.set_weights(recogniser.model.get_layer(layer.name).get_weights())
            continue
        baked[layer.name] = bake_layer(layer, quantized[layer.name])
    return plain, baked


def layers_in_file(recogniser: Recogniser) -> dict[str, QuantizedLayer]:
    """The quantized layers that are exported, by name.

    Layers of the training alone, such as the CTC heads of a transducer, are not among them.
    """
    layers = quantized_layers(recogniser.model)
    training_only = recogniser.config.kind.training_only
    return {name: layer for name, layer in layers.items() if name not in training_only}


def bake_layer(plain: Dense, layer: QuantizedLayer) -> BakedLayer:
    """Give a plain layer the values of a quantized one.

    Raises:
        UserError: a precision that the device does not execute.
    """
    precision, (inputs, outputs) = layer.precision, layer.kernel.shape
    if not precision.on_device:
        raise UserError(
            f"{plain.name}: LiteRT does not execute {precision.name}, it exists in training only: "
            "see asr_qat/quantize/precision.py for those that it does"
        )
    integers, grid = layer.integers()
    values = tf.reshape(integers * grid.scale, [inputs, outputs]).numpy()
    weights = [values] if layer.bias is None else [values, layer.bias.numpy()]
    if grid.offset is not None:
        plain.add_offset()
        weights.append(np.reshape(grid.offset, [-1]))
    plain.set_weights(weights)
    integers = tf.reshape(integers, [inputs, outputs]).numpy().T.astype(np.int8)
    scale = np.reshape(grid.scale, [-1, outputs]).T
    ranges = layer.ranges()
    return BakedLayer(
        precision,
        np.ascontiguousarray(integers),
        scale if precision.block else scale[:, 0],
        None if ranges is None else _numbers(*ranges.input.parameters()),
        None if ranges is None else _numbers(*ranges.output.parameters()),
    )


def _numbers(scale, zero_point) -> tuple[float, int]:
    return float(scale), int(zero_point)
