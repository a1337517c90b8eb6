"""Distillation: the loss against numpy, the teacher, and trainings with one."""

import dataclasses
import json

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from asr_qat.config import from_dict
from asr_qat.errors import UserError
from asr_qat.models.ctc import build_ctc
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.transducer import build_transducer
from asr_qat.training.distillation import (
    Distillation,
    DistillationConfig,
    distillation_loss,
    load_teacher,
)
from asr_qat.training.run import train
from tests.training_fixtures import ENCODER, W4, configuration, history, refusal, weights
from tests.transducer_fixtures import LSTM

pytest_plugins = ["tests.training_fixtures"]

TEACH = DistillationConfig()


def softmax(logits):
    powers = np.exp(logits - logits.max())
    return powers / powers.sum()


def reference(lengths, student, teacher, temperature):
    """The definition, frame by frame, in float64."""
    losses = []
    for length, ours, theirs in zip(lengths, student, teacher, strict=True):
        p = [softmax(row / temperature) for row in theirs[:length].astype(np.float64)]
        q = [softmax(row / temperature) for row in ours[:length].astype(np.float64)]
        kl = sum(float(np.sum(a * np.log(a / b))) for a, b in zip(p, q, strict=True))
        losses.append(temperature**2 * kl)
    return losses


@hypothesis.given(st.integers(0, 1000), st.floats(0.5, 5.0))
def test_loss_is_the_divergence_of_the_valid_frames(seed, temperature):
    rng = np.random.default_rng(seed)
    student, teacher = rng.normal(size=(2, 3, 7, 5)).astype(np.float32) * 3
    lengths = rng.integers(1, 8, 3)
    found = distillation_loss(tf.constant(lengths, tf.int32), student, teacher, temperature)
    expected = reference(lengths, student, teacher, temperature)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_gradient_goes_to_the_student_alone():
    """`T (softmax(student / T) - softmax(teacher / T))` in valid frames, zero in padding."""
    rng = np.random.default_rng(0)
    student, teacher = map(tf.constant, rng.normal(size=(2, 2, 4, 3)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch([student, teacher])
        loss = tf.reduce_sum(distillation_loss(tf.constant([4, 2]), student, teacher, 2.0))
    to_student, to_teacher = tape.gradient(loss, [student, teacher])
    assert to_teacher is None
    expected = 2.0 * (tf.nn.softmax(student / 2.0) - tf.nn.softmax(teacher / 2.0)).numpy()
    expected[1, 2:] = 0
    np.testing.assert_allclose(to_student, expected, atol=1e-6)


def test_a_student_like_its_teacher_has_nothing_to_learn():
    logits = tf.random.stateless_normal([2, 4, 3], [1, 2])
    np.testing.assert_allclose(distillation_loss(tf.constant([4, 2]), logits, logits), 0, atol=1e-6)


def test_padding_may_hold_anything():
    student, teacher = np.ones([2, 1, 3, 4], np.float32)
    student[0, 2], teacher[0, 2] = np.nan, np.inf
    np.testing.assert_allclose(distillation_loss(tf.constant([2]), student, teacher), 0, atol=1e-6)


@pytest.mark.parametrize("kind", ["ctc", "transducer"])
def test_teacher_of_other_feature_statistics(kind):
    """It hears what it was trained on: the student's features are normalised again."""
    vocabulary = 4
    if kind == "ctc":
        model = build_ctc(ENCODER, vocabulary)
    else:
        shape = dataclasses.replace(LSTM, ctc_weight=0.3)
        model = build_transducer(ENCODER, shape, vocabulary)
    rng = np.random.default_rng(0)
    raw, lengths = rng.normal(3, 2, [2, 16, 80]).astype(np.float32), tf.constant([16, 9])
    own_mean, own_std, mean, std = rng.uniform(1, 2, [4, 80])
    features = tf.constant((raw - own_mean) / own_std, tf.float32)
    taught = Distillation(model, TEACH, own_std / std, (own_mean - mean) / std).teach(
        (features, lengths)
    )
    heard = [tf.constant((raw - mean) / std, tf.float32), lengths]
    if kind == "transducer":
        heard.append(tf.zeros([2, 1], tf.int32))
    expected = tf.nest.flatten(model(heard))[-1]
    np.testing.assert_allclose(taught, expected, atol=1e-4)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"weight": 0.0}, "weight: 0.0 is not a number above 0"),
        ({"weight": float("nan")}, "weight: nan is not a number above 0"),
        ({"temperature": -1}, "temperature: -1.0 is not a number above 0"),
        ({"temperature": float("inf")}, "temperature: inf is not a number above 0"),
        ({"teachr": "x"}, "unknown key 'teachr': did you mean 'teacher'"),
    ],
)
def test_bad_values(values, complaint):
    with pytest.raises(UserError, match=complaint):
        from_dict(DistillationConfig, values, "distillation")


def test_no_teacher(tmp_path):
    with pytest.raises(UserError, match=r"distillation.teacher: is missing, and there is no `sta"):
        configuration("data", tmp_path, distillation=TEACH)
    own = DistillationConfig(teacher="t")
    assert configuration("data", tmp_path, distillation=own).teacher() == "t"
    assert configuration("data", tmp_path, start="s", distillation=TEACH).teacher() == "s"
    assert configuration("data", tmp_path, start="s", distillation=own).teacher() == "t"
    assert configuration("data", tmp_path, start="s").teacher() is None


def changed(recogniser, path, **changes):
    """A model directory with the same vocabulary and another configuration."""
    config = dataclasses.replace(recogniser.config, **changes)
    made = Recogniser.create(config, recogniser.tokenizer, recogniser.mean, recogniser.std)
    made.save(path)
    return made


def test_teachers_that_do_not_fit(float_run, tmp_path):
    config, student = float_run
    load_teacher(TEACH, config.output, student)

    changed(student, tmp_path / "w4", quantization=W4)
    with pytest.raises(UserError, match="w4 is quantized: name the float model"):
        load_teacher(TEACH, str(tmp_path / "w4"), student)
    own = DistillationConfig(teacher=str(tmp_path / "w4"))
    assert load_teacher(own, config.output, student).config.quantization == W4

    headless = dataclasses.replace(LSTM, ctc_weight=0.0)
    transducer = changed(student, tmp_path / "t", transducer=headless)
    with pytest.raises(UserError, match="the model has no CTC logits: a transducer needs a ctc_we"):
        load_teacher(TEACH, config.output, transducer)
    with pytest.raises(UserError, match=r"distillation: .*t has no CTC logits"):
        load_teacher(TEACH, str(tmp_path / "t"), student)

    front_end = dataclasses.replace(student.config.front_end, high_hz=7000.0)
    changed(student, tmp_path / "f", front_end=front_end)
    with pytest.raises(UserError, match="has another front end"):
        load_teacher(TEACH, str(tmp_path / "f"), student)


@pytest.mark.long
@pytest.mark.usefixtures("without_wer")
def test_training_with_a_teacher(float_run, prepared_folder, tmp_path):
    """Resumed or in one go, the same model; and the teacher is in neither of its files."""
    config, teacher = float_run
    before = weights(teacher)
    values = {"start": config.output, "encoder": None, "quantization": W4, "steps": 4}
    values = {**values, "evaluate_every": 2, "distillation": DistillationConfig(2.0, 1.5)}
    whole = train(configuration(prepared_folder, tmp_path / "whole", **values), quiet=True)
    plain = configuration(prepared_folder, tmp_path / "plain", **{**values, "distillation": None})
    other = train(plain, quiet=True)
    for a, b in zip(before, weights(Recogniser.load(config.output)), strict=True):
        np.testing.assert_array_equal(a, b)
    assert len(whole.model.weights) == len(other.model.weights)
    assert any((a != b).any() for a, b in zip(weights(whole), weights(other), strict=True))
    sizes = {
        name: sum(f.stat().st_size for f in (tmp_path / name / "checkpoints").glob("*.data*"))
        for name in ("whole", "plain")
    }
    assert sizes["whole"] == sizes["plain"]
    assert history(tmp_path / "whole")[0]["loss"] > history(tmp_path / "plain")[0]["loss"]

    # Another teacher is another training; the same one elsewhere is not.
    described = json.loads((tmp_path / "whole/training.json").read_text())
    assert described["teacher_weights"] == described["start_weights"]
    named = DistillationConfig(2.0, 1.5, config.output)
    again = configuration(prepared_folder, tmp_path / "whole", **{**values, "distillation": named})
    train(again, quiet=True)
    changed(teacher, tmp_path / "other")
    named = DistillationConfig(2.0, 1.5, str(tmp_path / "other"))
    again = configuration(prepared_folder, tmp_path / "whole", **{**values, "distillation": named})
    assert "was trained with other teacher_weights" in refusal(again)


@pytest.mark.long
@pytest.mark.usefixtures("without_wer")
def test_transducer_from_scratch_with_a_ctc_teacher(float_run, prepared_folder, tmp_path):
    config, _ = float_run
    shape = dataclasses.replace(LSTM, ctc_weight=0.3)
    values = {"model": "transducer", "transducer": shape, "steps": 2, "evaluate_every": 2}
    losses = []
    for weight in (1.0, 2.0):
        student = configuration(
            prepared_folder,
            tmp_path / str(weight),
            **values,
            distillation=DistillationConfig(weight, teacher=config.output),
        )
        train(student, quiet=True)
        losses.append(history(student.output)[-1]["loss"])
    assert losses[1] > losses[0]
