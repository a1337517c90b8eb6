"""A network of published size: how long the rounding takes, and by how much outputs change.

Its weights are random, so there are no word error rates.
"""

import time
from pathlib import Path

import numpy as np
from tensorflow import keras

from asr_qat.corpora.recordings import recordings
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.presets import PRESETS
from asr_qat.training.calibrated import Calibration, calibrated, recording_features
from asr_qat.training.quantized import post_training
from experiments.after_training.rows import LargeRow

PRESET, NAME = "fastconformer_l", "FastConformer-CTC large"
OTHERS = 16  # utterances of the dev split that outputs are compared on


def large_row(like: Path, precision: str, calibration: Calibration) -> LargeRow:
    """Round the network for some speech, and compare its outputs on other speech.

    Args:
        like: model directory of a CTC model with the same front end and vocabulary.
        precision: of the products.
        calibration: a prepared folder.
    """
    origin = Recogniser.load_without_model(like)
    config = ModelConfig(PRESETS[PRESET], origin.config.front_end)
    keras.utils.set_random_seed(0)
    plain = Recogniser.create(config, origin.tokenizer, origin.mean, origin.std)
    started = time.perf_counter()
    rounded = calibrated(plain, precision, calibration)
    minutes = (time.perf_counter() - started) / 60
    speech = [
        recording_features(plain, item.read(config.front_end.sample_rate))
        for item in recordings(calibration.data, "dev")[:OTHERS]
    ]
    expected = _outputs(plain, speech)
    return LargeRow(
        name=NAME,
        precision=precision,
        parameters=int(plain.model.count_params()),
        minutes=minutes,
        error=_error(_outputs(rounded, speech), expected),
        error_nearest=_error(_outputs(post_training(plain, precision), speech), expected),
    )


def _outputs(recogniser: Recogniser, speech: list[np.ndarray]) -> np.ndarray:
    """Logits `[frames of all, classes]`."""
    inputs = [(each[None], np.array([len(each)], np.int32)) for each in speech]
    found = [recogniser.model(list(each), training=False).numpy()[0] for each in inputs]
    return np.concatenate(found)


def _error(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.sqrt(np.mean((found - expected) ** 2)) / expected.std())
