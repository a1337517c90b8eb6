"""Whole trainings on the synthetic corpus: written, resumed, refused, killed."""

import dataclasses
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import h5py
import numpy as np
import pytest
import tensorflow as tf
import yaml

from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.losses.ctc import CTCLoss, pack_targets
from asr_qat.models.conformer import EncoderConfig
from asr_qat.models.model_directory import ModelConfig, Recogniser
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.training.config import TrainConfig
from asr_qat.training.run import _check_same, train

REPOSITORY = Path(__file__).parent.parent
ENCODER = EncoderConfig(1, dim=16, heads=2, feed_forward=16, kernel=5, subsampling=8)


def configuration(prepared_folder, output, **changes) -> TrainConfig:
    values = {
        "data": str(prepared_folder),
        "output": str(output),
        "steps": 6,
        "encoder": ENCODER,
        "evaluate_every": 3,
        **changes,
    }
    config = TrainConfig(**values)
    if "optimizer" not in changes:
        schedule = dataclasses.replace(config.optimizer.schedule, peak=0.01, warmup=2)
        optimizer = dataclasses.replace(config.optimizer, schedule=schedule, average=0.8)
        config = dataclasses.replace(config, optimizer=optimizer)
    if "batches" not in changes:
        config = dataclasses.replace(
            config, batches=dataclasses.replace(config.batches, batch_size=4, cache=True)
        )
    return config


def as_yaml(config, path) -> Path:
    values = json.loads(json.dumps(dataclasses.asdict(config)))  # tuples become lists
    path.write_text(yaml.safe_dump(values))
    return path


def command(name, path, *more, **options):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    words = [sys.executable, "-m", "asr_qat.cli", name, "--config", str(path), *more]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment, **options
    )


def history(folder) -> list[dict]:
    lines = (Path(folder) / "history.jsonl").read_text().splitlines()
    return [
        {key: value for key, value in json.loads(line).items() if key != "seconds"}
        for line in lines
    ]


def weights(recogniser) -> list[np.ndarray]:
    return [w.numpy() for w in recogniser.model.trainable_weights]


def assert_same_weights(first, second):
    for one, other in zip(weights(first), weights(second), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def float_run(prepared_folder, tmp_path_factory):
    config = configuration(prepared_folder, tmp_path_factory.mktemp("float") / "model")
    return config, train(config, quiet=True)


def refusal(config) -> str:
    with pytest.raises(UserError) as caught:
        train(config, quiet=True)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_model_directory_is_written(float_run, capsys):
    config, recogniser = float_run
    loaded = Recogniser.load(config.output)
    assert loaded.config == recogniser.config
    assert loaded.config.encoder == ENCODER
    features = np.random.default_rng(0).standard_normal((1, 60, 80)).astype(np.float32)
    inputs = [features, np.array([60], np.int32)]
    np.testing.assert_array_equal(loaded.model(inputs), recogniser.model(inputs))
    lines = history(config.output)
    assert [line["step"] for line in lines] == [3, 6]
    assert all(line["loss"] > 0 and line["wer"] >= 0 for line in lines)
    training = json.loads((Path(config.output) / "training.json").read_text())
    assert training["steps"] == 6
    assert list((Path(config.output) / "tensorboard").iterdir())


def test_a_finished_training_does_nothing(float_run, capsys):
    config, recogniser = float_run
    before = history(config.output)
    again = train(config, quiet=True)
    assert history(config.output) == before
    assert_same_weights(again, recogniser)
    assert not capsys.readouterr().out
    train(dataclasses.replace(config, evaluate_every=1, checkpoint_minutes=1.0, keep="last"))
    assert capsys.readouterr().out == f"{config.output}: all 6 steps are done already\n"


def test_an_output_of_another_configuration(float_run, tmp_path):
    config, _ = float_run
    output = tmp_path / "model"
    shutil.copytree(config.output, output)
    same = dataclasses.replace(config, output=str(output))
    training = json.loads((output / "training.json").read_text())
    assert training["start_weights"] is None

    optimizer = dataclasses.replace(config.optimizer, weight_decay=0.5)
    other = dataclasses.replace(same, seed=1, optimizer=optimizer, quantization=W4)
    message = refusal(other)
    assert message.startswith(f"{output}: was trained with other quantization, optimizer, seed: ")
    started = dataclasses.replace(same, start=config.output, encoder=None)
    assert "other encoder, start_weights: " in refusal(started)

    del training["start_weights"]  # as earlier versions wrote it
    (output / "training.json").write_text(json.dumps(training))
    train(same, quiet=True)
    (output / "training.json").write_text("[]")
    assert "training.json: damaged" in refusal(same)
    shutil.rmtree(output / "checkpoints")  # nothing of the other training is left to go on from
    _check_same(output, {"seed": 3})


def test_the_same_seed_gives_the_same_model(float_run, prepared_folder, tmp_path):
    config, recogniser = float_run
    again = train(dataclasses.replace(config, output=str(tmp_path / "again")), quiet=True)
    assert history(tmp_path / "again") == history(config.output)
    assert_same_weights(again, recogniser)


@pytest.mark.slow
@pytest.mark.parametrize("quantized", [False, True], ids=["float", "w4a8"])
def test_killed_and_resumed_is_as_in_one_go(prepared_folder, tmp_path, quantized):
    quantization = QuantizationConfig("w4a8", start_step=5) if quantized else None
    steps = 40
    whole = configuration(
        prepared_folder,
        tmp_path / "whole",
        steps=steps,
        evaluate_every=10,
        quantization=quantization,
        keep="last",
    )
    expected = train(whole, quiet=True)

    # A checkpoint after every step, so that the kill falls behind one in mid pass.
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


def test_lines_of_a_history_after_the_checkpoint_are_dropped(prepared_folder, tmp_path):
    config = configuration(prepared_folder, tmp_path / "model", steps=2, evaluate_every=1)
    (tmp_path / "model").mkdir()
    lines = ['{"step": 0}', '{"step": 1}', '{"step": 2, "lo']
    (tmp_path / "model/history.jsonl").write_text("\n".join(lines))
    train(config, quiet=True)
    assert [line["step"] for line in history(tmp_path / "model")] == [0, 1, 2]


def _listing(folder):
    return " ".join(path.name for path in folder.glob("*.index")) if folder.is_dir() else ""


def test_a_loss_that_is_not_finite_is_explained(prepared_folder, tmp_path):
    config = configuration(prepared_folder, tmp_path / "model", steps=30)
    schedule = dataclasses.replace(config.optimizer.schedule, peak=1e30, warmup=1)
    optimizer = dataclasses.replace(config.optimizer, schedule=schedule, clip_norm=1e30)
    message = refusal(dataclasses.replace(config, optimizer=optimizer))
    found = re.fullmatch(
        r"loss is (nan|inf|-inf) at step (\d+) \(pass (\d+), batch (\d+): (.*)\); .*", message
    )
    assert found, message
    assert int(found[2]) >= 2
    spoken = {json.loads(line)["text"] for line in (prepared_folder / "train.jsonl").open()}
    named = found[5].split("; ")
    assert 1 <= len(named) <= 4
    assert {text.strip("'") for text in named} <= spoken


def test_poisoned_weights(float_run, prepared_folder, tmp_path):
    """The batch that is named is the first one, from the first pass."""
    config, recogniser = float_run
    shutil.copytree(config.output, tmp_path / "poisoned")
    spoilt = Recogniser.load(tmp_path / "poisoned")
    spoilt.model.get_layer("ctc_output").bias.assign(
        np.full(spoilt.tokenizer.vocab_size + 1, np.nan)
    )
    spoilt.save(tmp_path / "poisoned")
    config = configuration(
        prepared_folder, tmp_path / "out", start=str(tmp_path / "poisoned"), encoder=None
    )
    assert "loss is nan at step 1 (pass 1, batch 1: '" in refusal(config)


@pytest.mark.slow
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
    (tmp_path / "model/training.json").unlink()  # else more steps are another training
    path = as_yaml(longer, tmp_path / "longer.yaml")
    process = command(
        "train",
        path,
        "--quiet",
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    _, said = process.communicate(timeout=120)
    assert process.returncode == 1, said
    lines = [line for line in said.splitlines() if "asr-qat: error" in line]
    assert len(lines) == 1
    assert "Traceback" not in said
    assert f"{folder}: cannot write the checkpoint of step 4" in lines[0]
    assert "the earlier ones are kept" in lines[0]

    assert tf.train.latest_checkpoint(str(folder)).endswith("ckpt-2")
    train(longer, quiet=True)
    assert tf.train.latest_checkpoint(str(folder)).endswith("ckpt-4")
    assert history(tmp_path / "model")[-1]["step"] == 4


def test_a_model_directory_without_a_file(float_run, tmp_path):
    config, _ = float_run
    for name in ("tokenizer.model", "stats.json", "config.json", "model.weights.h5"):
        folder = tmp_path / name
        shutil.copytree(config.output, folder)
        (folder / name).unlink()
        with pytest.raises(UserError, match=f"no {re.escape(name)}"):
            Recogniser.load(folder)
    with pytest.raises(UserError, match="no such model directory"):
        Recogniser.load(tmp_path / "none")


def test_weights_of_another_vocabulary(float_run, tmp_path):
    from asr_qat.text.tokenizer import Tokenizer

    config, _ = float_run
    shutil.copytree(config.output, tmp_path / "model")
    Tokenizer.train(["AB", "CD"], 10, "char").save(tmp_path / "model/tokenizer.model")
    with pytest.raises(UserError, match="another configuration or vocabulary") as caught:
        Recogniser.load(tmp_path / "model")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"rubbish", None])
def test_damaged_weights(float_run, tmp_path, content):
    config, _ = float_run
    shutil.copytree(config.output, tmp_path / "model")
    path = tmp_path / "model/model.weights.h5"
    path.write_bytes(path.read_bytes()[:5000] if content is None else content)
    with pytest.raises(UserError, match="damaged") as caught:
        Recogniser.load(tmp_path / "model")
    assert str(path) in str(caught.value)


def test_unknown_preset(prepared_folder, tmp_path):
    config = configuration(prepared_folder, tmp_path, encoder=None, preset="XL")
    assert "'XL' is not one of tiny, S, M, L" in refusal(config)


def test_folder_of_another_vocabulary(float_run, synthetic_corpus, tmp_path):
    from asr_qat.corpora.manifest import read
    from asr_qat.corpora.prepare import prepare

    config, _ = float_run
    prepare(read(synthetic_corpus), tmp_path / "bpe", 20, "bpe", quiet=True)
    other = configuration(tmp_path / "bpe", tmp_path / "out", start=config.output, encoder=None)
    assert "its vocabulary is not that of" in refusal(other)


def test_checkpoints_of_another_model(float_run, tmp_path):
    config, _ = float_run
    shutil.copytree(config.output, tmp_path / "model")
    other = dataclasses.replace(
        config,
        output=str(tmp_path / "model"),
        encoder=dataclasses.replace(ENCODER, dim=8),
        steps=8,
    )
    expected = f"{tmp_path / 'model'}: was trained with other steps, encoder: remove it or choose"
    assert expected in refusal(other)
    (tmp_path / "model/training.json").unlink()
    assert "does not fit this configuration" in refusal(other)


W4 = QuantizationConfig("w4a8")


@pytest.mark.parametrize("quantization", [None, QuantizationConfig("w4a8", start_step=3)])
def test_a_directory_holds_the_weights_and_no_optimizer(
    float_run, prepared_folder, tmp_path, quantization
):
    folder = PreparedFolder(prepared_folder)
    config = ModelConfig(ENCODER, folder.stats.front_end, quantization)
    saved = Recogniser.create(config, folder.tokenizer, folder.stats.mean, folder.stats.std)
    features = np.random.default_rng(0).standard_normal((2, 40, 80)).astype(np.float32)
    inputs = (tf.constant(features), tf.constant([40, 30]))
    targets = pack_targets(inputs[1], tf.constant([[1, 2], [3, 4]]))
    saved.model.compile("adam", CTCLoss())
    saved.model.fit(tf.data.Dataset.from_tensors((inputs, targets)).repeat(4), verbose=0)
    saved.save(tmp_path / "model")
    loaded = Recogniser.load(tmp_path / "model")
    np.testing.assert_array_equal(loaded.model(inputs), saved.model(inputs))
    np.testing.assert_array_equal(loaded.mean, saved.mean)
    assert loaded.mean.dtype == loaded.std.dtype == np.float32
    with h5py.File(tmp_path / "model/model.weights.h5") as file:
        assert "layers" in file
        assert "optimizer" not in file


@pytest.mark.slow
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
    start = {"start": str(tmp_path / "w4"), "encoder": None, "steps": 1}
    for same in (None, W4):
        kept = configuration(prepared_folder, tmp_path / f"on{same}", quantization=same, **start)
        assert train(kept, quiet=True).config.quantization == W4
    other = configuration(
        prepared_folder, tmp_path / "w8", quantization=QuantizationConfig("w8a8"), **start
    )
    assert "is quantized already (w4a8 native)" in refusal(other)


def test_a_start_of_another_shape(float_run, prepared_folder, tmp_path):
    config, _ = float_run
    other = dataclasses.replace(ENCODER, blocks=2)
    wrong = configuration(prepared_folder, tmp_path / "x", start=config.output, encoder=other)
    assert "encoder: not that of" in refusal(wrong)


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


@pytest.mark.slow
def test_the_fit_script(prepared_folder, tmp_path):
    script = REPOSITORY / "examples/fit.py"
    assert len(script.read_text().splitlines()) <= 40
    done = subprocess.run(
        [sys.executable, script, prepared_folder, tmp_path / "model", "5"],
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "dev WER" in done.stdout
    assert "AutoGraph" not in done.stderr
    assert Recogniser.load(tmp_path / "model").config.quantization.precision == "w4a8"
