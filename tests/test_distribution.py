"""Training on several workers: the losses of one, and lines that explain what is wrong."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from asr_qat.errors import UserError
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.training.distribution import Distribution, choose_distribution, replica_rows
from asr_qat.training.run import train
from asr_qat.training.variational_noise import VariationalNoiseConfig
from tests.training_fixtures import (
    ENCODER,
    REPOSITORY,
    as_yaml,
    configuration,
    finish_workers,
    history,
    start_workers,
)
from tests.transducer_fixtures import LSTM

pytest_plugins = ["tests.training_fixtures"]

WORKERS = {"worker": ["a:1", "b:2"]}
LATE = QuantizationConfig("w4", start_step=3)
TRANSDUCER = dataclasses.replace(LSTM, dropout=0.0, ctc_weight=0.3)
# The command `train`, as on a machine with two GPUs.
MIRRORED = """
from asr_qat import cli
import tensorflow as tf
from asr_qat.training import run
from asr_qat.training.distribution import Distribution

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
run.choose_distribution = lambda: Distribution(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
cli.main()
"""


@pytest.mark.parametrize("rows", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("replicas", [1, 2, 3])
def test_every_row_goes_to_one_replica(rows, replicas):
    values = np.arange(1, rows + 1)
    inputs = (tf.constant(values[:, None] * np.ones([1, 3])), tf.constant(values))
    parts = list(replica_rows((inputs, tf.constant(values)), replicas))
    assert len(parts) == replicas
    seen = []
    for ((wide, narrow), targets), shares in parts:
        assert len(targets) == -(-rows // replicas)
        np.testing.assert_array_equal(wide, narrow.numpy()[:, None] * np.ones([1, 3]))
        np.testing.assert_array_equal(narrow, targets)
        assert set(targets.numpy()) <= set(values)
        assert set(shares.numpy()) <= {0.0, np.float32(1 / rows)}
        seen += [row for row, share in zip(targets.numpy(), shares.numpy(), strict=True) if share]
    assert seen == list(values)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("{", "expected "),
        ("[]", "expected "),
        ("{}", "expected .*KeyError: 'cluster'"),
        ({"cluster": WORKERS}, "expected .*KeyError: 'task'"),
        ({"cluster": WORKERS, "task": {"type": "worker", "index": 2}}, "expected .*IndexError"),
        ({"cluster": WORKERS, "task": {"type": "chief", "index": 0}}, "expected .*KeyError"),
        ({"cluster": WORKERS, "task": {"type": "worker", "index": -1}}, "expected workers"),
        ({"cluster": {**WORKERS, "ps": ["c:3"]}, "task": {"type": "ps", "index": 0}},
         "expected workers"),
        ({"cluster": {"worker": ["a:1", "a:1"]}, "task": {"type": "worker", "index": 0}},
         "expected different addresses"),
        ({"cluster": {"worker": ["a", "b:2"]}, "task": {"type": "worker", "index": 0}},
         "expected different addresses"),
    ],
)  # fmt: skip
def test_a_wrong_variable(monkeypatch, content, complaint):
    text = content if isinstance(content, str) else json.dumps(content)
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match=f"^TF_CONFIG: .*{complaint}") as caught:
        choose_distribution()
    assert "\n" not in str(caught.value)


def test_a_single_device(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    assert choose_distribution() == Distribution()
    one = {"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(one))
    assert choose_distribution() == Distribution()


def whole_batch(prepared_folder, output, **changes):
    """A training that has no dropout, which is another one on another number of replicas."""
    config = configuration(
        prepared_folder,
        output,
        encoder=dataclasses.replace(ENCODER, dropout=0.0),
        keep="last",
        **changes,
    )
    noise = VariationalNoiseConfig(start_step=2, layers="^prediction_|ctc_output")
    more = {"l2": 1e-3, "accumulate": 2, "variational_noise": noise}
    return dataclasses.replace(config, optimizer=dataclasses.replace(config.optimizer, **more))


def train_mirrored(config, path):
    """The command `train` with two replicas on this machine."""
    words = [sys.executable, "-c", MIRRORED, "train", "--config", as_yaml(config, path)]
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, env=variables)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert "dev WER" in done.stdout


def assert_same_losses(first, second):
    """Not the weights: Adam makes much of a gradient that is zero but for rounding."""
    for one, other in zip(history(first.output), history(second.output), strict=True):
        assert one["step"] == other["step"]
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)


@pytest.mark.long
@pytest.mark.parametrize(
    "changes",
    [
        {"model": "transducer", "transducer": TRANSDUCER},
        {"quantization": LATE},
    ],
    ids=["transducer", "ctc-w4"],
)
def test_two_workers_have_the_losses_of_one(prepared_folder, tmp_path, changes):
    one = whole_batch(prepared_folder, tmp_path / "one", evaluate_every=1, **changes)
    train(one, quiet=True)
    two = dataclasses.replace(one, output=str(tmp_path / "two"))
    finish_workers(start_workers(two, tmp_path / "two.yaml"))
    assert_same_losses(two, one)


@pytest.mark.long
def test_two_replicas_have_the_losses_of_one(prepared_folder, tmp_path):
    """Of a transducer, in float and then quantized."""
    one = whole_batch(
        prepared_folder,
        tmp_path / "one",
        steps=4,
        evaluate_every=1,
        model="transducer",
        transducer=TRANSDUCER,
        quantization=dataclasses.replace(LATE, start_step=2),
    )
    train(one, quiet=True)
    two = dataclasses.replace(one, output=str(tmp_path / "two"))
    train_mirrored(two, tmp_path / "two.yaml")
    assert_same_losses(two, one)


@pytest.mark.long
def test_two_workers_that_are_stopped_go_on(prepared_folder, tmp_path):
    """One is killed: the other says so. Together they go on from the chief's checkpoint."""
    one = whole_batch(prepared_folder, tmp_path / "one", steps=14, evaluate_every=7)
    train(one, quiet=True)
    two = dataclasses.replace(one, output=str(tmp_path / "two"), checkpoint_minutes=1e-9)
    chief, other = start_workers(two, tmp_path / "two.yaml")
    deadline = time.monotonic() + 120
    while not list((tmp_path / "two/checkpoints").glob("ckpt-[5-9].index")):
        assert chief.poll() is None, chief.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    other.send_signal(signal.SIGKILL)
    other.communicate()
    _, errors = chief.communicate(timeout=120)
    assert chief.returncode == 1
    assert "asr-qat: error: another worker was stopped" in errors, errors
    assert "Traceback" not in errors
    finish_workers(start_workers(two, tmp_path / "two.yaml"))
    assert_same_losses(two, one)
