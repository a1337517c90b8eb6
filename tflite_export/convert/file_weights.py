"""What of a model's weights goes into its file, from memory or straight from a model directory.

A float directory that is exported as it is, or quantized after training, needs no Keras model of
its own: its kernels are read from the disk one at a time, and only their integers are kept. A model
that was trained quantized is built, since its quantizers remember things, and so is one whose
static ranges have to be measured.
"""

import dataclasses
from collections.abc import Collection
from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat.errors import UserError
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.weights import load_all_but_kernels
from asr_qat.quantize.apply import QuantizedLayer, quantized_with
from asr_qat.quantize.depthwise import product_of, stock_matrix
from asr_qat.quantize.precision import FLOAT
from asr_qat.quantize.product_layer import ProductLayer
from asr_qat.training.calibrated import Calibration, calibrated
from asr_qat.training.quantized import after_training, post_training, post_training_layers
from tflite_export.convert.bake import (
    BakedLayer,
    bake,
    bake_layer,
    layers_in_file,
    require_on_device,
)
from tflite_export.convert.stand_ins import (
    add_offsets,
    new_stand_ins,
    quantized_depthwise,
    stand_in_model,
    with_depthwise_products,
)


@dataclasses.dataclass(frozen=True)
class FileWeights:
    """What goes into a file.

    Attributes:
        recogniser: its configuration says how the file is quantized; its model is not read.
        layers: the quantized ones by name.
        kernels: float32 `[..., output]` of the other products by name.
        model: stand-ins for both, with all other weights.
    """

    recogniser: Recogniser
    layers: dict[str, BakedLayer]
    kernels: dict[str, np.ndarray]
    model: keras.Model


def weights_of_directory(
    path: str | Path, precision: str | None, calibration: Calibration | None
) -> FileWeights:
    """From a model directory; arguments and errors are those of `convert`."""
    recogniser = Recogniser.load_without_model(path)
    wanted = _wanted(recogniser.config, precision, str(path))
    quantization = None if wanted is None else after_training(wanted)
    static = quantization and any(p.static for p in quantization.registry().precisions())
    if recogniser.config.quantization or calibration or static:
        return weights_of(Recogniser.load(path), precision, str(path), calibration)
    registry = quantization.registry() if quantization else None
    training_only = recogniser.config.kind.training_only
    layers: dict[str, BakedLayer] = {}
    kernels: dict[str, np.ndarray] = {}

    def take(layer: ProductLayer, kernel: np.ndarray) -> None:
        if layer.name in training_only:
            return
        if registry is None or not registry.supports(layer):
            kernels[layer.name] = kernel
            return
        found = quantized_with(layer, tf.constant(kernel), registry)
        layers[layer.name] = bake_layer(layer.name, found)

    weights, checked = recogniser.weights_in(path)
    model = new_stand_ins(recogniser)
    load_all_but_kernels(model, weights, take, checked)
    for layer in quantized_depthwise(model, quantization):  # their kernels are in the model
        take(product_of(layer), stock_matrix(layer))
    layers = {layer.name: layers[layer.name] for layer in model.layers if layer.name in layers}
    model = with_depthwise_products(model, quantization)
    add_offsets(model, layers)
    config = dataclasses.replace(recogniser.config, quantization=quantization)
    return FileWeights(dataclasses.replace(recogniser, config=config), layers, kernels, model)


def weights_of(
    recogniser: Recogniser, precision: str | None, where: str, calibration: Calibration | None
) -> FileWeights:
    """From a recogniser in memory; arguments and errors are those of `convert`."""
    wanted = _wanted(recogniser.config, precision, where)
    if calibration is not None:
        if wanted is None:
            quantized = recogniser.config.quantization is not None
            mend = "this one is quantized already" if quantized else "add --precision w4a8, say"
            raise UserError(f"{where}: --calibration rounds the weights of a float model: {mend}")
        recogniser = _for_speech(recogniser, wanted, calibration)
        trained = layers_in_file(recogniser)
    elif wanted is None:
        trained = layers_in_file(recogniser)
    else:
        recogniser, trained = _quantized(recogniser, wanted)
    layers = bake(trained)
    kernels, model = float_kernels(recogniser, layers), stand_in_model(recogniser, layers)
    return FileWeights(recogniser, layers, kernels, model)


def _quantized(
    recogniser: Recogniser, precision: str
) -> tuple[Recogniser, dict[str, QuantizedLayer]]:
    """A float recogniser with the configuration of the file, and its quantized layers.

    It keeps its float model: there is no copy.
    """
    quantization, layers = post_training_layers(recogniser, precision)
    config = dataclasses.replace(recogniser.config, quantization=quantization)
    training_only = config.kind.training_only
    in_file = {name: layer for name, layer in layers.items() if name not in training_only}
    return dataclasses.replace(recogniser, config=config), in_file


def at_precision(
    recogniser: Recogniser,
    precision: str | None,
    where: str = "model",
    calibration: Calibration | None = None,
) -> Recogniser:
    """The recogniser as it was trained, or a float one quantized after training.

    Arguments and errors are those of `convert`.
    """
    wanted = _wanted(recogniser.config, precision, where)
    if wanted is None:
        return recogniser
    if calibration is None:
        return post_training(recogniser, wanted)
    return _for_speech(recogniser, wanted, calibration)


def _for_speech(recogniser: Recogniser, precision: str, calibration: Calibration) -> Recogniser:
    """`calibrated`, which takes minutes, once the device is known to execute all layers."""
    registry = after_training(precision).registry()
    for layer in recogniser.model.layers:
        found = registry.of(layer)
        if found is not None and layer.name not in recogniser.config.kind.training_only:
            require_on_device(layer.name, found)
    return calibrated(recogniser, precision, calibration)


def _wanted(config: ModelConfig, precision: str | None, where: str) -> str | None:
    """The precision at which a float model is to be quantized. Raises as `convert` does."""
    trained = config.quantization
    if trained is None:
        return None if precision == FLOAT else precision
    if precision not in (None, trained.precision):
        raise UserError(
            f"{where}: trained at {trained.precision}, cannot be exported at {precision}: "
            f"use --precision {trained.precision}, or a float model"
        )
    return None


def float_kernels(recogniser: Recogniser, layers: Collection[str]) -> dict[str, np.ndarray]:
    """Kernels `[..., output]` of the layers of the file but for `layers`, by name."""
    others = recogniser.config.kind.training_only | set(layers)
    return {
        layer.name: layer.kernel.numpy()
        for layer in recogniser.model.layers
        if isinstance(layer, ProductLayer) and layer.name not in others
    }
