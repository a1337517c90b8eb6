"""Prepared folders, checkpoints and logs in an object store; `s3://` on this machine."""

import dataclasses
import json
import signal
import time

import pytest

from asr_qat.errors import UserError
from asr_qat.remote_path import RemotePath, place
from tests.store_fixtures import content, names, run
from tests.training_fixtures import as_yaml, command, configuration, history

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


def test_unknown_addresses_are_refused():
    with pytest.raises(UserError, match="^ftp://x/y: .* from s3://, gs://, az://, hdfs://$"):
        place("ftp://x/y")


@pytest.mark.long
def test_a_folder_in_the_store_is_that_of_the_disk(store, synthetic_corpus, prepared_folder):
    done = run(store, *PREPARE, "--data", str(synthetic_corpus), "--out", "s3://speech/prepared")
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr and "pure virtual" not in done.stderr
    found = content(store, "prepared")
    local = {
        str(path.relative_to(prepared_folder)): path.read_bytes()
        for path in prepared_folder.rglob("*")
        if path.is_file()
    }
    assert found == local
    again = run(store, *PREPARE, "--data", str(synthetic_corpus), "--out", "s3://speech/prepared")
    assert again.returncode == 0, again.stderr


@pytest.mark.long
def test_a_training_in_the_store(store, prepared_folder, synthetic_corpus, tmp_path):
    """Killed, taken up, and with the losses of one on disk."""
    made = run(store, *PREPARE, "--data", str(synthetic_corpus), "--out", "s3://speech/data")
    assert made.returncode == 0, made.stderr
    batches = dataclasses.replace(configuration("", "").batches, cache=False)
    changes = {"steps": 8, "evaluate_every": 8, "checkpoint_minutes": 0.0, "batches": batches}
    local = configuration(prepared_folder, tmp_path / "local", **changes)
    done = run(store, "train", "--config", str(as_yaml(local, tmp_path / "local.yaml")))
    assert done.returncode == 0, done.stderr
    remote = configuration("s3://speech/data", "s3://speech/model", **changes)
    path = as_yaml(remote, tmp_path / "remote.yaml")
    process = command("train", path, environment=store[0])
    end = time.monotonic() + 200
    while "checkpoints/ckpt-3.index" not in names(store, "model"):
        assert process.poll() is None and time.monotonic() < end, process.communicate()
        time.sleep(0.2)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    done = run(store, "train", "--config", str(path))
    assert done.returncode == 0, done.stderr
    assert "going on from step" in done.stdout
    found = content(store, "model")
    assert {"config.json", "model.weights.h5", "tokenizer.model", "training.json"} <= found.keys()
    assert any(name.startswith("tensorboard/events") for name in found)
    (line,) = [json.loads(line) for line in found["history.jsonl"].decode().splitlines()]
    (expected,) = history(local.output)
    assert line["loss"] == pytest.approx(expected["loss"], rel=1e-5)
    assert line["wer"] == expected["wer"]


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
