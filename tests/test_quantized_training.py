"""Quantized training that starts from a float model."""

import dataclasses
import sys

import pytest

from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.training.run import train
from asr_qat.training.start import first_recogniser
from asr_qat.training.word_error_rate import Evaluator
from tests.conftest import long_case
from tests.training_fixtures import (
    ENCODER,
    W4,
    as_yaml,
    assert_same_weights,
    configuration,
    history,
    refusal,
    weights,
)

pytest_plugins = ["tests.training_fixtures"]


@pytest.mark.slow
def test_a_model_is_not_kept_before_it_is_quantized(prepared_folder, tmp_path, monkeypatch):
    wers = iter([0.1, 0.2, 0.3])  # the best one is that of the model in float
    monkeypatch.setattr(Evaluator, "wer", lambda self: next(wers))
    late = dataclasses.replace(W4, start_step=5)
    changes = {"quantization": late, "evaluate_every": 2, "steps": 6}
    kept = train(configuration(prepared_folder, tmp_path / "late", **changes), quiet=True)
    counters = [w for w in kept.model.weights if w.name.split(":")[0].endswith("kernel_step")]
    assert counters
    assert {int(counter) for counter in counters} == {6}


def test_a_start_step_after_the_last_step(prepared_folder, tmp_path):
    late = dataclasses.replace(W4, start_step=6)
    with pytest.raises(UserError, match=r"quantization.start_step: not before the last of 6 steps"):
        configuration(prepared_folder, tmp_path, quantization=late)


@pytest.mark.slow
@pytest.mark.usefixtures("without_wer")
def test_quantized_training_starts_from_the_float_weights(float_run, prepared_folder, tmp_path):
    config, recogniser = float_run
    changes = {"start": config.output, "encoder": None, "quantization": W4, "steps": 2}
    schedule = dataclasses.replace(config.optimizer.schedule, peak=1e-60)  # zero in float32
    still = dataclasses.replace(config.optimizer, schedule=schedule, average=0.0)
    quantized = train(
        configuration(prepared_folder, tmp_path / "w4", optimizer=still, **changes), quiet=True
    )
    assert quantized.config.quantization == W4
    assert quantized.config.encoder == ENCODER
    ours = sorted(value.tobytes() for value in weights(quantized))
    assert ours == sorted(value.tobytes() for value in weights(recogniser))

    # A quantized model is trained on as it is, and not quantized otherwise.
    start, folder = (
        {"start": str(tmp_path / "w4"), "encoder": None},
        PreparedFolder(prepared_folder),
    )
    for same in (None, W4):
        kept = configuration(prepared_folder, tmp_path / f"on{same}", quantization=same, **start)
        started = first_recogniser(kept, folder)
        assert started.config.quantization == W4
        assert_same_weights(started, quantized)
    other = configuration(
        prepared_folder, tmp_path / "w8", quantization=QuantizationConfig("w8a8"), **start
    )
    assert "is quantized already (w4a8 native)" in refusal(other)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("mode", ["native", long_case("fake")])
@pytest.mark.usefixtures("without_wer")
def test_quantized_training_from_scratch(prepared_folder, tmp_path, mode):
    wanted = QuantizationConfig("w4a8", mode)
    config = configuration(
        prepared_folder, tmp_path / "scratch", quantization=wanted, steps=60, evaluate_every=20
    )
    trained = train(config, quiet=True)
    assert trained.config.quantization == wanted
    losses = [line["loss"] for line in history(config.output)]
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.slow
def test_command_quantize(float_run, prepared_folder, tmp_path, monkeypatch):
    from asr_qat import cli

    config, _ = float_run
    path = as_yaml(dataclasses.replace(config, encoder=None), tmp_path / "float.yaml")

    def run(*words):
        monkeypatch.setattr(
            sys, "argv", ["asr-qat", "quantize", "--config", str(path), "--quiet", *words]
        )
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code

    output = ["--output", str(tmp_path / "w8")]
    assert run(*output, "--model", config.output, "--precision", "w8a8", "--steps", "2") == 0
    quantized = Recogniser.load(tmp_path / "w8")
    assert quantized.config.quantization == QuantizationConfig("w8a8")
    assert [line["step"] for line in history(tmp_path / "w8")] == [2]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--model", "MODEL"], "key 'quantization' is missing: add it or give --precision"),
        (["--precision", "w4a8"], "key 'start' is missing: add it or give --model"),
        (["--model", "MODEL", "--precision", "w4a8", "--output", "MODEL"], "choose another"),
        (["--model", "MODEL", "--precision", "w5"], "precision 'w5'"),
        (["--model", "none", "--precision", "w4a8"], "none: no such model directory"),
    ],
)
def test_command_quantize_refuses(float_run, tmp_path, monkeypatch, capsys, words, complaint):
    from asr_qat import cli

    config, _ = float_run
    changed = dataclasses.replace(config, encoder=None, output=str(tmp_path / "out"))
    path = as_yaml(changed, tmp_path / "float.yaml")
    words = [config.output if word == "MODEL" else word for word in words]
    monkeypatch.setattr(sys, "argv", ["asr-qat", "quantize", "--config", str(path), *words])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    assert complaint in capsys.readouterr().err
