"""A tiny training on the synthetic corpus, and what the tests of trainings share."""

import dataclasses
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from asr_qat.errors import UserError
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.training.config import TrainConfig
from asr_qat.training.run import train
from asr_qat.training.word_error_rate import Evaluator
from tests.conftest import made_once

REPOSITORY = Path(__file__).parent.parent
ENCODER = EncoderConfig(1, dim=16, heads=2, feed_forward=16, kernel=5, subsampling=8)
W4 = QuantizationConfig("w4a8")


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


def command(name, path, *more, environment=None, **options):
    """A command in a process of its own, which an interrupt stops whatever ran the tests."""
    options.setdefault("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY), **(environment or {})}
    words = [sys.executable, "-m", "asr_qat.cli", name, "--config", str(path), *more]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=variables, **options
    )


def start_workers(config, path, environment=None):
    """The command `train` twice, as two workers."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
    addresses = [f"localhost:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    path = as_yaml(config, path)
    tasks = [{"type": "worker", "index": index} for index in range(2)]
    clusters = [{"cluster": {"worker": addresses}, "task": task} for task in tasks]
    return [
        command(
            "train", path, environment={**(environment or {}), "TF_CONFIG": json.dumps(cluster)}
        )
        for cluster in clusters
    ]


def finish_workers(processes):
    said = [process.communicate(timeout=240) for process in processes]
    for process, (_, errors) in zip(processes, said, strict=True):
        assert process.returncode == 0, errors
        assert "Traceback" not in errors
    assert "dev WER" in said[0][0]
    assert not said[1][0]  # the chief alone says how it goes


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


@pytest.fixture(scope="session")
def float_run(prepared_folder, shared_folder):
    config = configuration(prepared_folder, shared_folder / "float_run")
    made_once(Path(config.output), lambda _: train(config, quiet=True))
    return config, Recogniser.load(config.output)


@pytest.fixture
def without_wer(monkeypatch):
    """Trainings are not asked what they recognise: no decoder is traced, which takes seconds."""
    monkeypatch.setattr(Evaluator, "wer", lambda self: 1.0)


def refusal(config) -> str:
    with pytest.raises(UserError) as caught:
        train(config, quiet=True)
    assert "\n" not in str(caught.value)
    return str(caught.value)
