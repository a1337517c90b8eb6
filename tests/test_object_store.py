"""Prepared folders, checkpoints and logs in an object store; `s3://` on this machine."""

import argparse
import dataclasses
import json
import signal
import time
from pathlib import Path

import pytest

from asr_qat.errors import UserError
from asr_qat.remote_path import RemotePath, place
from asr_qat.training.run import train
from tests.store_fixtures import content, names, run
from tests.training_fixtures import (
    ENCODER,
    configuration,
    finish_workers,
    history,
    start_workers,
)
from tflite_export.commands.evaluate_live import _hypotheses_file
from tflite_export.commands.transcribe import _written

pytest_plugins = ["tests.store_fixtures", "tests.training_fixtures"]
PREPARE = ("prepare", "--corpus", "manifest", "--vocab-size", "40", "--model-type", "char")


def test_addresses_are_kept():
    path = place("s3://speech/a/b.txt")
    assert isinstance(path, RemotePath)
    assert str(path) == "s3://speech/a/b.txt"
    assert str(path.parent / "c") == "s3://speech/a/c"
    assert str(path.with_name("d.txt")) == "s3://speech/a/d.txt"
    assert (path.name, path.stem) == ("b.txt", "b")
    assert place(path) is path and path == place("s3://speech/a/b.txt")
    assert not isinstance(place("s3/b.txt"), RemotePath)


def test_what_is_written_for_recordings_has_an_address():
    args = argparse.Namespace(output="s3://speech/texts", format="srt")
    recording = argparse.Namespace(source=Path("in/a.wav"), content=None)
    assert str(_written(args, recording)) == "s3://speech/texts/a.srt"
    args = argparse.Namespace(hypotheses="s3://speech/said.jsonl", file="live.tflite")
    assert str(_hypotheses_file(args, "first")) == "s3://speech/said.first.jsonl"


def test_unknown_addresses_are_refused():
    with pytest.raises(UserError, match="^ftp://x/y: .* from s3://, gs://, az://, hdfs://$"):
        place("ftp://x/y")


@pytest.mark.long
def test_a_folder_in_the_store_is_that_of_the_disk(store, synthetic_corpus, prepared_folder):
    words = (*PREPARE, "--data", str(synthetic_corpus), "--out", "s3://speech/prepared")
    done = run(store, *words, "--workers", "2")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "pure virtual" not in done.stderr
    found = content(store, "prepared")
    local = {
        str(path.relative_to(prepared_folder)): path.read_bytes()
        for path in prepared_folder.rglob("*")
        if path.is_file()
    }
    assert found == local
    again = run(store, *words)
    assert again.returncode == 0, again.stderr


@pytest.mark.long
def test_two_workers_train_in_the_store(store, prepared_folder, synthetic_corpus, tmp_path):
    """One is killed; together they go on, with the losses of one worker on disk."""
    made = run(store, *PREPARE, "--data", str(synthetic_corpus), "--out", "s3://speech/data")
    assert made.returncode == 0, made.stderr
    batches = dataclasses.replace(configuration("", "").batches, cache=False)
    encoder = dataclasses.replace(ENCODER, dropout=0.0)
    changes = {"steps": 8, "evaluate_every": 8, "batches": batches, "encoder": encoder}
    local = configuration(prepared_folder, tmp_path / "local", **changes)
    train(local, quiet=True)
    (expected,) = history(local.output)
    remote = configuration("s3://speech/data", "s3://speech/model", **changes)
    remote = dataclasses.replace(remote, checkpoint_minutes=0.0)
    chief, other = start_workers(remote, tmp_path / "remote.yaml", store[0])
    end = time.monotonic() + 200
    while "checkpoints/ckpt-2.index" not in names(store, "model"):
        assert chief.poll() is None and time.monotonic() < end, chief.communicate()
        time.sleep(0.1)
    other.send_signal(signal.SIGKILL)
    other.communicate()
    _, errors = chief.communicate(timeout=120)
    assert chief.returncode == 1
    assert "asr-qat: error: another worker was stopped" in errors, errors
    assert not any(name.startswith("checkpoints/ckpt-8") for name in names(store, "model"))
    finish_workers(start_workers(remote, tmp_path / "remote.yaml", store[0]))
    found = content(store, "model")
    assert {"config.json", "model.weights.h5", "tokenizer.model", "training.json"} <= found.keys()
    assert any(name.startswith("tensorboard/events") for name in found)
    (line,) = [json.loads(line) for line in found["history.jsonl"].decode().splitlines()]
    assert line["loss"] == pytest.approx(expected["loss"], rel=1e-4)
    converted = tmp_path / "x.tflite"
    words = ("convert", "s3://speech/model", "-o", str(converted))
    done = run(store, *words, program="tflite_export.cli")
    assert done.returncode == 0, done.stderr
    assert converted.stat().st_size > 0


@pytest.mark.long
def test_a_missing_bucket_is_one_line(store, synthetic_corpus):
    done = run(store, *PREPARE, "--data", str(synthetic_corpus), "--out", "s3://no-bucket/x")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("asr-qat: error: s3://no-bucket/x"), done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.long
def test_missing_credentials_are_one_line(store, synthetic_corpus):
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "S3_ENDPOINT": ""}
    done = run(store, *PREPARE, "--data", str(synthetic_corpus), "--out", "s3://speech/x", **none)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr, done.stderr
