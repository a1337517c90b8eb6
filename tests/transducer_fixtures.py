"""Tiny transducers: one that learned the synthetic corpus, and random ones with their files."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from asr_qat.corpora.data_config import DataConfig
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.prediction import TransducerConfig
from asr_qat.training.config import OptimizerConfig
from asr_qat.training.run import train
from asr_qat.training.schedule import ScheduleConfig
from tests.conftest import made_once
from tests.export_fixtures import ENCODER, SECONDS
from tests.training_fixtures import configuration

LSTM = TransducerConfig(embedding=12, units=16, joint=14)
NGRAM = dataclasses.replace(LSTM, prediction="ngram", context=3)
# What learns five tones in a few seconds.
LISTENER = EncoderConfig(1, 32, 2, feed_forward=32, kernel=5, subsampling=8, dropout=0.0)
WRITER = TransducerConfig(embedding=16, units=16, joint=32, dropout=0.0, ctc_weight=0.3)
PLAIN = DataConfig(batch_size=6, speeds=(1.0,), spec_augment=None, cache=True)
STEPS = 160


def optimizer(peak: float) -> OptimizerConfig:
    return OptimizerConfig(ScheduleConfig(peak=peak, warmup=20), average=0.9)


@pytest.fixture(scope="session")
def transducer_run(prepared_folder, shared_folder):
    """The training of a transducer until it knows the tones: configuration and recogniser."""
    config = configuration(
        prepared_folder,
        shared_folder / "transducer_run",
        steps=STEPS,
        encoder=LISTENER,
        model="transducer",
        transducer=WRITER,
        batches=PLAIN,
        optimizer=optimizer(0.01),
        evaluate_every=STEPS // 4,
        keep="last",
    )
    made_once(Path(config.output), lambda _: train(config, quiet=True))
    return config, Recogniser.load(config.output)


def random_transducer(float_recogniser: Recogniser, shape: TransducerConfig) -> Recogniser:
    """Random weights everywhere, and blanks that are a little likelier than labels."""
    config = ModelConfig(ENCODER, transducer=shape)
    parts = (float_recogniser.tokenizer, float_recogniser.mean, float_recogniser.std)
    recogniser = Recogniser.create(config, *parts)
    rng = np.random.default_rng(2)
    for variable in recogniser.model.trainable_variables:
        if variable.shape.rank > 1:
            deviation = np.prod(variable.shape[:-1]) ** -0.5
            variable.assign(rng.normal(0, deviation, variable.shape).astype(np.float32))
        else:
            variable.assign_add(rng.normal(0, 0.1, variable.shape).astype(np.float32))
    embedding = recogniser.model.get_layer("prediction_embedding").kernel
    embedding.assign(4 * embedding)  # so that labels matter
    bias = recogniser.model.get_layer("joint_output").bias
    bias.assign_add(np.eye(bias.shape[0], dtype=np.float32)[-1])
    return recogniser


@pytest.fixture(scope="session")
def transducer(float_recogniser) -> Recogniser:
    """Float, of random weights, with an LSTM."""
    return random_transducer(float_recogniser, LSTM)


@pytest.fixture(scope="session")
def ngram_transducer(float_recogniser) -> Recogniser:
    """Float, of random weights, with an n-gram, and a CTC head that no file needs."""
    return random_transducer(float_recogniser, dataclasses.replace(NGRAM, ctc_weight=0.5))


@pytest.fixture(scope="session")
def exported_transducer(transducer, shared_folder):
    """The path of the file at a precision, converted when first asked for."""
    from tflite_export.convert.convert import convert_recogniser

    def export(precision: str) -> Path:
        return made_once(
            shared_folder / "exported_transducer" / f"{precision}.tflite",
            lambda path: path.write_bytes(convert_recogniser(transducer, precision, SECONDS)),
        )

    return export
