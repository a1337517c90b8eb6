"""Damaged and half-written files: one line that names the file and says how to mend it."""

import dataclasses
import json
import math
import re
import resource
import shutil
import signal

import h5py
import pytest

from asr_qat import files
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.readers import an4, librispeech, manifest
from asr_qat.errors import UserError
from asr_qat.folder_sums import SUMS
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.text.tokenizer import Tokenizer
from asr_qat.training.config import TrainConfig
from asr_qat.training.run import train

ENCODER = EncoderConfig(1, dim=8, heads=2, feed_forward=8, kernel=3, subsampling=4)


def complaint(function, *args) -> str:
    with pytest.raises(UserError) as caught:
        function(*args)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def without_sums(folder):
    (folder / SUMS).unlink()
    return folder


@pytest.fixture(scope="module")
def saved(prepared_folder, tmp_path_factory):
    folder = PreparedFolder(prepared_folder)
    recogniser = Recogniser.create(
        ModelConfig(ENCODER), folder.tokenizer, folder.stats.mean, folder.stats.std
    )
    recogniser.save(tmp_path_factory.mktemp("saved") / "model")
    return recogniser, tmp_path_factory.getbasetemp() / "saved0/model"


@pytest.fixture
def model(saved, tmp_path):
    """As earlier versions wrote it, without checksums."""
    return without_sums(shutil.copytree(saved[1], tmp_path / "model"))


@pytest.fixture
def prepared(prepared_folder, tmp_path):
    """As earlier versions prepared it, without checksums."""
    folder = without_sums(shutil.copytree(prepared_folder, tmp_path / "prepared"))
    content = files.read_json(folder / "corpus.json")
    del content["files"]
    files.write_json(folder / "corpus.json", content)
    return folder


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ({}, "key 'mean' is missing"),
        ([], "expected keys and values, found []"),
        ({"mean": [0.0] * 80}, "key 'std' is missing"),
        ({"mean": [0.0] * 3, "std": [1.0] * 3}, "mean: 3 numbers, the front end has 80 mel bins"),
        ({"mean": "a", "std": 1}, "mean: expected a list, found 'a'"),
        ({"mean": [0.0] * 80, "std": ["1"] * 80}, "std[0]: expected a number, found '1'"),
        ({"mean": [0.0] * 80, "std": [1.0, -1.0] * 40}, "std[1]: -1.0 is not the deviation"),
        ({"mean": [0.0] * 80, "std": [math.nan] * 80}, "std[0]: nan is not the deviation"),
        ({"mean": [0.0] * 80, "std": [1e300] * 80}, "std[0]: 1e+300 is not the deviation"),
        ({"mean": [math.inf] * 80, "std": [1.0] * 80}, "mean[0]: inf is not the mean"),
        ({"mean": [10**400] * 80, "std": [1.0] * 80}, "mean[0]: a whole number of more than 64"),
    ],
)
def test_stats_of_a_model(model, content, said):
    (model / "stats.json").write_text(json.dumps(content))
    message = complaint(Recogniser.load, model)
    assert message.startswith(f"{model / 'stats.json'}: damaged")
    assert said in message


@pytest.mark.parametrize("std", [math.nan, -1.0, 0.0, math.inf])
def test_stats_of_a_folder_are_not_blamed_on_the_optimizer(prepared, tmp_path, std):
    path = prepared / "stats.json"
    content = json.loads(path.read_text())
    content["std"][7] = std
    path.write_text(json.dumps(content))
    config = TrainConfig(str(prepared), str(tmp_path / "out"), 1, encoder=ENCODER)
    message = complaint(train, config, True)
    assert message.startswith(f"{path}: damaged: std[7]: {std} is not the deviation of a feature")
    assert not (tmp_path / "out").exists()


def test_flipped_bytes_in_the_weights(model):
    path = model / "model.weights.h5"
    content = bytearray(path.read_bytes())
    for start in (0, 96, 800, len(content) // 2):
        spoilt = content.copy()
        spoilt[start : start + 8] = b"\xff" * 8
        path.write_bytes(spoilt)
        try:
            Recogniser.load(model)
        except UserError as error:
            assert str(error).startswith(f"{path}: damaged")


def test_flipped_values_in_the_weights(saved, model):
    path = model / "model.weights.h5"
    content = path.read_bytes()
    kernel = saved[0].model.get_layer("ctc_output").get_weights()[0].tobytes()
    assert content.count(kernel) == 1
    spoilt = bytearray(content)
    spoilt[content.index(kernel) + len(kernel) // 2] ^= 1
    path.write_bytes(spoilt)
    expected = f"{path}: damaged (not the values that were saved): copy it again"
    assert complaint(Recogniser.load, model) == expected
    with h5py.File(path, "r+") as file:
        del file.attrs["sha256"]  # as earlier versions wrote it
    Recogniser.load(model)


def test_a_disk_that_fills_up_while_the_weights_are_written(saved, tmp_path, monkeypatch):
    recogniser, _ = saved
    recogniser.save(tmp_path / "model")
    before = (tmp_path / "model/model.weights.h5").read_bytes()

    def full(self, path):
        path.write_bytes(b"part")
        raise RuntimeError("Can't decrement id ref count (file write failed)\nerrno = 28")

    monkeypatch.setattr("keras.Model.save_weights", full, raising=False)
    monkeypatch.setattr("tf_keras.Model.save_weights", full)
    message = complaint(recogniser.save, tmp_path / "model")
    assert "model.weights.h5: cannot be written" in message
    assert (tmp_path / "model/model.weights.h5").read_bytes() == before
    assert len(list((tmp_path / "model").iterdir())) == 4


@pytest.mark.parametrize("share", [0.1, 0.6, 1.0])
def test_weights_that_find_no_room_are_one_line(saved, tmp_path, capfd, share):
    """HDF5 itself would print tracebacks."""
    recogniser, _ = saved
    recogniser.save(tmp_path / "model")
    before = (tmp_path / "model/model.weights.h5").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * len(before)), limits[1]))
    try:
        message = complaint(recogniser.save, tmp_path / "model")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert "model.weights.h5: cannot be written (File too large): make room" in message
    assert capfd.readouterr().err == ""
    assert (tmp_path / "model/model.weights.h5").read_bytes() == before
    assert len(list((tmp_path / "model").iterdir())) == 4


@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.9])
def test_part_of_a_tokenizer(model, share):
    path = model / "tokenizer.model"
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    try:
        assert Tokenizer.load(path).vocab_size > 0  # cut between two pieces: still a model
    except UserError as error:
        state = "only part of one" if share else "empty"
        assert re.fullmatch(f"{re.escape(str(path))}: .*{state}: train one with .*", str(error))


@pytest.mark.parametrize(
    "content",
    [
        "{}",
        "[]",
        '{"splits": []}',
        '{"splits": {"train": 1}}',
        '{"splits": {"train": {"shards": true}}}',
        '{"splits": {"train": {"shards": 10000000000}}}',
        '{"splits": {"train": {"shards": 1, "skipped": [3]}}}',
        '{"splits": {"train": {"shards": 1}}}',
    ],
)
def test_facts_of_a_prepared_folder(prepared, content):
    (prepared / "corpus.json").write_text(content)
    message = complaint(PreparedFolder(prepared).shards, "train")
    assert message.startswith(f"{prepared / 'corpus.json'}: damaged")
    assert "run `asr-qat prepare` again" in message


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        '{"text": "A"}',
        '{"text": 3, "duration": 1}',
        '{"text": "A", "duration": "1"}',
        '{"text": "A", "duration": NaN}',
        '{"text": "A", "duration": -1}',
        '{"text": "A", "text": "B", "duration": 1}',
        "[" * 100_000,
    ],
)
def test_lines_of_a_prepared_folder(prepared, line):
    (prepared / "train.jsonl").write_text(f"{line}\n")
    assert "train.jsonl: damaged" in complaint(PreparedFolder(prepared).utterances, "train")


@pytest.mark.parametrize(("split", "cache"), [("train", True), ("train", False), ("dev", True)])
def test_a_truncated_shard_of_a_folder_without_checksums(prepared, tmp_path, split, cache):
    shard = PreparedFolder(prepared).shards(split)[0]
    shard.write_bytes(shard.read_bytes()[:-1000])
    config = TrainConfig(str(prepared), str(tmp_path / "out"), 1, encoder=ENCODER)
    batches = dataclasses.replace(config.batches, cache=cache)
    config = dataclasses.replace(config, batches=batches)
    message = complaint(train, config, True)
    assert message.startswith(f"{shard}: damaged shard: remove {prepared} and ")
    assert message.endswith("and run `asr-qat prepare` again")


def test_latin_1(tmp_path):
    text = "CAFÉ".encode("latin-1")
    (tmp_path / "x.wav").touch()
    (tmp_path / "x.txt").write_bytes(text)
    assert complaint(manifest.read, tmp_path).startswith(f"{tmp_path / 'x.txt'}: line 1 is not UTF")
    (tmp_path / "train.jsonl").write_bytes(b"\n" + text)
    assert "train.jsonl: line 2 is not UTF-8" in complaint(manifest.read, tmp_path)
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/an4_train.fileids").write_bytes(text)
    assert "an4_train.fileids: line 1 is not UTF-8" in complaint(an4.read, tmp_path)
    chapter = tmp_path / "train-clean-5/1/2"
    chapter.mkdir(parents=True)
    (chapter / "1-2.trans.txt").write_bytes(b"1-2-0000 A\n1-2-0001 " + text)
    assert "1-2.trans.txt: line 2 is not UTF-8" in complaint(librispeech.read, tmp_path)


def test_a_librispeech_name_without_its_parts(tmp_path):
    chapter = tmp_path / "train-clean-5/1/2"
    chapter.mkdir(parents=True)
    (chapter / "1-2.trans.txt").write_text("1-2-0000 ONE\nTWO\n")
    message = complaint(librispeech.read, tmp_path)
    assert "1-2.trans.txt: line 2 does not begin with SPEAKER-CHAPTER-NUMBER: 'TWO'" in message


def test_an_empty_manifest(tmp_path):
    (tmp_path / "train.jsonl").write_text("\n")
    expected = f"{tmp_path / 'train.jsonl'}: no utterance in it: write one JSON object a line"
    assert complaint(manifest.read, tmp_path) == expected
    assert complaint(manifest.read, tmp_path / "train.jsonl") == expected
