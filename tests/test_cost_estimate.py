"""Operations, hours and dollars of training, against counts made another way."""

import numpy as np
import pytest

from asr_qat import cli
from asr_qat.corpora.data_config import DataConfig
from asr_qat.corpora.transcript_lengths import TranscriptLengths
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import build_float
from asr_qat.models.prediction import TransducerConfig
from asr_qat.provenance import Provenance
from asr_qat.text.tokenizer import Tokenizer
from asr_qat.training.config import TrainConfig
from experiments.cost import cost_estimate
from experiments.cost.cost_estimate import FLOAT32, GPUS, UTILISATION, estimate, forward_macs
from experiments.cost.cost_page import cost_page
from experiments.cost.cost_rows import CostResults, MeanLengths, MeasuredSteps
from tflite_export.score.rows import combine

ENCODER = EncoderConfig(2, dim=16, heads=2, feed_forward=32, kernel=5, subsampling=8)
UNITS, JOINT, VOCABULARY = 12, 14, 20
TRANSDUCER = TransducerConfig(embedding=10, units=UNITS, joint=JOINT)
FRAMES, LABELS = 101, 7
STEPS, BATCH_SECONDS = 50, 600.0


@pytest.fixture(scope="module")
def model():
    return build_float(ModelConfig(ENCODER, transducer=TRANSDUCER), VOCABULARY)


def test_products_are_those_that_the_profiler_counts(model):
    own = sum(forward_macs(model, FRAMES, LABELS).values())
    recurrence = (1 + LABELS) * UNITS * 4 * UNITS  # in a loop, which the profiler does not see
    assert cost_estimate.profiled_macs(model, FRAMES, LABELS) == own - recurrence


def test_parts_by_hand(model):
    macs = forward_macs(model, [FRAMES, 4], [LABELS, 0], batch=5)
    encoded = np.array([26, 1])
    np.testing.assert_array_equal(macs["joint"], encoded * [8, 1] * JOINT * (VOCABULARY + 1))
    attention = 2 * 16 * (2 * encoded**2 + encoded * (2 * encoded - 1))
    np.testing.assert_array_equal(macs["attention"], attention)
    alone = forward_macs(model, [FRAMES, 4], [LABELS, 0])
    shared = 2 * 16 * 16 * (2 * encoded - 1)  # positions are projected once for a batch
    np.testing.assert_allclose(alone["products"] - macs["products"], 0.8 * shared)


@pytest.fixture(scope="module")
def estimated(model):
    tokenizer = Tokenizer.train(["ONE TWO THREE FOUR FIVE"], 40, "char")
    lengths = TranscriptLengths(tokenizer, np.array([1.0, 3.0]), np.array([4, 10]), "a test")
    config = TrainConfig("data", "output", STEPS, batches=DataConfig(batch_seconds=BATCH_SECONDS))
    stages = {("S", stage): config for stage in FLOAT32}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(cost_estimate.PRESETS, "S", ENCODER)
        patch.setitem(cost_estimate.TRANSDUCERS, "S", TRANSDUCER)
        return estimate(stages, lengths, native_cost=1.5), lengths


def test_hours_and_dollars(estimated):
    found, _ = estimated
    flop = vars(found.counts["S"].flop_per_audio_second)
    low, high = UTILISATION["S"]
    for row, (stage, gpu) in zip(
        found.rows, [(stage, gpu) for stage in FLOAT32 for gpu in GPUS], strict=True
    ):
        assert (row.stage, row.gpu) == (stage, gpu.name)
        assert row.audio_hours == pytest.approx(STEPS * BATCH_SECONDS / 3600)
        slow = sum(flop[part] for part in FLOAT32[stage])
        fast = sum(flop.values()) - slow
        seconds = STEPS * BATCH_SECONDS * (slow / gpu.tf32 + fast / gpu.bf16) / 8
        seconds *= 1.5 if stage == "w4a8" else 1
        assert row.hours == pytest.approx((seconds / high / 3600, seconds / low / 3600))
        cheapest = seconds / high / 3600 * 8 * gpu.price[0]
        assert row.dollars[0] == pytest.approx(cheapest)
        assert row.exaflop == pytest.approx(STEPS * BATCH_SECONDS * (slow + fast) / 1e18)


def test_flop_of_a_second_are_three_passes_of_two_for_each_multiplication(estimated, model):
    found, lengths = estimated
    joint = found.counts["S"].flop_per_audio_second.joint
    classes = lengths.tokenizer.vocab_size + 1
    pairs = 25 * 5 + 75 * 11  # 1 s and 3 s: 98 and 298 frames; 4 and 10 labels
    assert joint == pytest.approx(6 * pairs * JOINT * classes / 4.0)


def test_the_page_names_what_it_assumes(estimated):
    found, lengths = estimated
    step = MeasuredSteps(
        **{"preset": "S", "batch": 4, "utterance_seconds": 10.0, "labels": 40, "threads": 1},
        **{"float_seconds": 2.0, "native_seconds": 3.0, "native_cost": 1.5},
        **{"step_flop": 1e11, "float_flop_per_second": 5e10},
    )
    measured = MeanLengths(corpus="a test", utterances=2, seconds=2.0, labels=7.0, vocabulary=16)
    page = cost_page(
        combine(
            CostResults,
            found,
            Provenance.of_this_run(0),
            measured_step=step,
            lengths=measured,
        )
    )
    for words in ("3 to 20%", "312 / 156 TFLOP/s", "a test", "1.50 times", "| S | w4a8 | 50 |"):
        assert words in page


def test_a_missing_configuration_is_one_line(monkeypatch, capfd, tmp_path):
    monkeypatch.setattr("sys.argv", ["asr-qat", "cost", "--configs", str(tmp_path)])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert "librispeech_s_float.yaml: no such configuration file" in capfd.readouterr().err


@pytest.mark.long
def test_steps_are_timed(monkeypatch):
    monkeypatch.setitem(cost_estimate.PRESETS, "S", ENCODER)
    monkeypatch.setitem(cost_estimate.TRANSDUCERS, "S", TRANSDUCER)
    found = cost_estimate.measure_steps(1, LABELS, threads=2, quiet=True)
    assert found.native_cost == pytest.approx(found.native_seconds / found.float_seconds)
    speed = found.step_flop / found.float_seconds
    assert found.float_flop_per_second == pytest.approx(speed)
