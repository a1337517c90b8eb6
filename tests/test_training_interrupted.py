"""Trainings that are killed, or stopped by a full disk, and go on."""

import contextlib
import dataclasses
import re
import signal
import subprocess
import time

import pytest
import tensorflow as tf
from tensorflow import keras

from asr_qat import lock
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.training.callbacks import Checkpoints, State
from asr_qat.training.run import train
from asr_qat.training.variational_noise import VariationalNoiseConfig
from tests.conftest import long_case, small_files
from tests.training_fixtures import (
    as_yaml,
    assert_same_weights,
    command,
    configuration,
    history,
    refusal,
)

pytest_plugins = ["tests.training_fixtures"]


@pytest.mark.slow
@pytest.mark.parametrize("kind", [long_case(kind) for kind in ("float", "w4a8", "noise")])
def test_killed_and_resumed_is_as_in_one_go(prepared_folder, tmp_path, kind):
    quantization = QuantizationConfig("w4a8", start_step=5) if kind == "w4a8" else None
    steps = 40
    whole = configuration(
        prepared_folder,
        tmp_path / "whole",
        steps=steps,
        evaluate_every=10,
        quantization=quantization,
        keep="last",
    )
    if kind == "noise":
        noise = VariationalNoiseConfig(start_step=5, layers="ctc_output")
        changes = {"l2": 1e-3, "accumulate": 2, "variational_noise": noise}
        optimizer = dataclasses.replace(whole.optimizer, **changes)
        whole = dataclasses.replace(whole, optimizer=optimizer)
    expected = train(whole, quiet=True)

    # A checkpoint after every step, so that the kill falls after one in mid pass.
    parts = dataclasses.replace(whole, output=str(tmp_path / "parts"), checkpoint_minutes=1e-9)
    path = as_yaml(parts, tmp_path / "parts.yaml")
    process = command("train", path, "--quiet")
    folder = tmp_path / "parts/checkpoints"
    deadline = time.monotonic() + 120
    while not any(int(n) >= 12 for n in re.findall(r"ckpt-(\d+)", _listing(folder))):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    process.stderr.close()
    reached = int(tf.train.latest_checkpoint(str(folder)).rsplit("-", 1)[1])
    assert 10 <= reached < steps

    resumed = train(parts, quiet=True)
    assert_same_weights(resumed, expected)
    # A kill between an evaluation and its checkpoint repeats the evaluation.
    assert history(parts.output) == history(whole.output)


@pytest.mark.slow
@pytest.mark.usefixtures("without_wer")
def test_interrupted_and_resumed_is_as_in_one_go(prepared_folder, tmp_path):
    whole = configuration(
        prepared_folder, tmp_path / "whole", steps=120, evaluate_every=10, keep="last"
    )
    expected = train(whole, quiet=True)
    parts = dataclasses.replace(whole, output=str(tmp_path / "parts"))
    process = command("train", as_yaml(parts, tmp_path / "parts.yaml"), "--quiet")
    lines = tmp_path / "parts/history.jsonl"
    deadline = time.monotonic() + 120
    while not lines.is_file():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    while process.poll() is None:  # Python may drop an interrupt that falls into a destructor
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=90)  # a second interrupt while it ends would be its end
    _, said = process.communicate()
    assert process.returncode == 130, said
    assert "Traceback" not in said
    latest = tf.train.latest_checkpoint(str(tmp_path / "parts/checkpoints"))
    assert 10 <= int(latest.rsplit("-", 1)[1]) < 120
    assert_same_weights(train(parts, quiet=True), expected)


def _listing(folder):
    return " ".join(path.name for path in folder.glob("*.index")) if folder.is_dir() else ""


@pytest.mark.usefixtures("without_wer")
def test_lines_of_a_history_after_the_checkpoint_are_dropped(prepared_folder, tmp_path):
    config = configuration(prepared_folder, tmp_path / "model", steps=2, evaluate_every=1)
    (tmp_path / "model").mkdir()
    lines = ['{"step": 0}', '{"step": 1}', '{"step": 2, "lo']
    (tmp_path / "model/history.jsonl").write_text("\n".join(lines))
    train(config, quiet=True)
    assert [line["step"] for line in history(tmp_path / "model")] == [0, 1, 2]


def test_a_second_training_into_one_folder(prepared_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE_S", 0.0)
    config = configuration(prepared_folder, tmp_path / "model")
    with lock.locked(tmp_path / "model/.lock"):
        said = refusal(config)
        assert said.startswith(f"{tmp_path}/model: is being written by `")
        assert [path.name for path in (tmp_path / "model").iterdir()] == [".lock"]


def test_parts_of_checkpoints_are_removed(tmp_path):
    model = keras.Sequential([keras.layers.Dense(1, input_shape=(1,))])
    model.compile("sgd", "mse")
    checkpoints = Checkpoints(model, State(), tmp_path, 1.0, None)
    checkpoints.set_model(model)
    left = ("ckpt-7_temp", "ckpt-7.index", "ckpt-7.data-00000-of-00001", "checkpoint.tmp12ab")
    for name in (*left[1:], "notes.txt", "ckpt-0.index.tempstate12"):
        (tmp_path / name).touch()
    (tmp_path / left[0]).mkdir()
    (tmp_path / left[0] / "part-00000").touch()
    checkpoints.remove_left()  # those without a list may be somebody's
    assert {path.name for path in tmp_path.iterdir()} == {left[1], left[2], "notes.txt"}
    checkpoints.save()
    checkpoints.remove_left()
    names = {"checkpoint", "notes.txt", "ckpt-0.index", "ckpt-0.data-00000-of-00001"}
    assert {path.name for path in tmp_path.iterdir()} == names


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.usefixtures("without_wer")
def test_a_full_disk(prepared_folder, tmp_path):
    """A limit on the size of files stops TensorFlow's writer as a full disk would."""
    encoder = EncoderConfig(1, dim=64, heads=2, feed_forward=256, kernel=5, subsampling=16)
    config = configuration(
        prepared_folder, tmp_path / "model", steps=2, encoder=encoder, evaluate_every=100
    )
    train(config, quiet=True)
    folder = tmp_path / "model/checkpoints"
    size = max(path.stat().st_size for path in folder.glob("ckpt-2.data*"))
    model_size = (tmp_path / "model/model.weights.h5").stat().st_size
    limit = (size + model_size) // 2
    assert model_size < limit < size  # only the checkpoint meets the limit

    longer = dataclasses.replace(config, steps=4)
    with small_files(limit):
        said = refusal(longer)
    assert said.startswith(f"{folder}: cannot write the checkpoint of step 4")
    assert "the earlier ones are kept" in said

    assert tf.train.latest_checkpoint(str(folder)).endswith("ckpt-2")
    train(longer, quiet=True)
    assert tf.train.latest_checkpoint(str(folder)).endswith("ckpt-4")
    assert history(tmp_path / "model")[-1]["step"] == 4
