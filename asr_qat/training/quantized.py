"""A float recogniser with quantized products: as training begins, or as it is used without any."""

import dataclasses
from pathlib import Path

import tensorflow as tf

from asr_qat.corpora.data_config import DataConfig
from asr_qat.corpora.dataset import Pipeline
from asr_qat.corpora.feature_stats import FeatureStats
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import (
    QuantizationConfig,
    QuantizedLayer,
    layers_without_copy,
    quantize_model,
    quantized_layers,
)
from asr_qat.quantize.calibrate import calibrate, needs_calibration

CALIBRATION_BATCHES = 16  # of 8 utterances each


def quantized(
    recogniser: Recogniser,
    quantization: QuantizationConfig,
    data: PreparedFolder | str | Path | None,
) -> Recogniser:
    """A copy with quantized products; static ranges of activations are those of the float model.

    Args:
        recogniser: float; it is left as it is.
        quantization: precisions by layer.
        data: the prepared folder to find static ranges in; opened only if there are any.

    Raises:
        UserError: static ranges and no corpus, or a pattern that matches no layer.
    """
    model = quantize_model(recogniser.model, quantization)
    _set_ranges(quantized_layers(model), recogniser, quantization, data)
    config = dataclasses.replace(recogniser.config, quantization=quantization)
    return dataclasses.replace(recogniser, config=config, model=model)


def post_training(
    recogniser: Recogniser,
    precision: str | QuantizationConfig,
    data: str | Path | None = None,
) -> Recogniser:
    """Post-training quantization: the baseline that training is measured against.

    Weights become the nearest integers; `asr_qat.training.calibrated` rounds them for speech.

    Args:
        recogniser: a float recogniser; it is left as it is.
        precision: such as `w4a8` or `two_bit`, see `asr_qat.quantize.policies`; not `float`. Or
            a whole configuration, whose `mode` is replaced, and which begins at once.
        data: prepared folder, for static ranges of activations.

    Raises:
        UserError: static ranges and no data for them.
    """
    return quantized(recogniser, after_training(precision), data)


def post_training_layers(
    recogniser: Recogniser, precision: str | QuantizationConfig
) -> tuple[QuantizationConfig, dict[str, QuantizedLayer]]:
    """The configuration and the quantized layers of `post_training`, without a copy of the model.

    Arguments and errors are those of `post_training` without data.
    """
    quantization = after_training(precision)
    layers = layers_without_copy(recogniser.model, quantization)
    _set_ranges(layers, recogniser, quantization, None)
    return quantization, layers


def after_training(precision: str | QuantizationConfig) -> QuantizationConfig:
    """The configuration of `post_training`."""
    if isinstance(precision, str):
        precision = QuantizationConfig(precision)
    return dataclasses.replace(precision, mode="ptq", start_step=0, layer_interval=0, stages={})


def _set_ranges(
    layers: dict[str, QuantizedLayer],
    recogniser: Recogniser,
    quantization: QuantizationConfig,
    data: PreparedFolder | str | Path | None,
) -> None:
    """Set the static ranges of layers, if any, to those of the float recogniser."""
    if not needs_calibration(layers):
        return
    if data is None:
        raise UserError(
            f"{quantization.precision}: its activations have static ranges: give speech to find "
            "them in (--calibration), or train them"
        )
    folder = data if isinstance(data, PreparedFolder) else PreparedFolder(data)
    batches = calibration_batches(folder, recogniser.stats_for(folder))
    calibrate(layers, recogniser.model, batches.map(recogniser.model_inputs))


def calibration_batches(
    folder: PreparedFolder, stats: FeatureStats | None = None, seed: int = 0
) -> tf.data.Dataset:
    """Random utterances of the training split, not augmented, as `Pipeline` yields them.

    Args:
        folder: the corpus.
        stats: those that the model was trained with, if not the folder's own.
        seed: chooses the utterances.
    """
    config = dataclasses.replace(DataConfig(), speeds=(1.0,), spec_augment=None)
    return Pipeline(folder, config, seed, stats).training().take(CALIBRATION_BATCHES)
