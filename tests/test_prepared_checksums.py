"""Shards that were emptied, cut, changed or replaced since they were prepared."""

import dataclasses
import shutil

import pytest
import tensorflow as tf

from asr_qat import files
from asr_qat.corpora.file_facts import FileFacts
from asr_qat.corpora.prepare import prepare
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.readers import manifest
from asr_qat.corpora.recordings import recordings
from asr_qat.errors import UserError
from asr_qat.folder_sums import SUMS
from asr_qat.training.config import TrainConfig
from asr_qat.training.run import train
from tests.training_fixtures import ENCODER

OPTIONS = {"vocab_size": 40, "model_type": "char", "shards": 2, "quiet": True}
MEND = "remove it and run the same `asr-qat prepare` again"


@pytest.fixture(scope="module")
def made(synthetic_corpus, tmp_path_factory):
    out = tmp_path_factory.mktemp("prepared") / "data"
    prepare(manifest.read(synthetic_corpus), out, **OPTIONS)
    return out


@pytest.fixture
def folder(made, tmp_path):
    return shutil.copytree(made, tmp_path / "data")


def records(path) -> list[bytes]:
    return list(tf.data.TFRecordDataset(str(path)).as_numpy_iterator())


def write(path, content) -> None:
    with tf.io.TFRecordWriter(str(path)) as writer:
        for record in content:
            writer.write(record)


def emptied(path):
    path.write_bytes(b"")


def cut_between_records(path):
    write(path, records(path)[:-1])


def replaced(path):
    shutil.copy(path.with_name(path.name.replace("00001-of", "00000-of")), path)


def flipped(path):
    """A whole TFRecord file of the same size: TensorFlow finds nothing wrong with it."""
    write(path, reversed(records(path)))


def refusal(config) -> str:
    with pytest.raises(UserError) as caught:
        train(config, quiet=True)
    return str(caught.value)


@pytest.mark.parametrize("damage", [emptied, cut_between_records, replaced, flipped])
@pytest.mark.parametrize("split", ["train", "dev"])
def test_training_names_the_shard_and_the_mend(folder, tmp_path, damage, split):
    shard = PreparedFolder(folder).shards(split)[1]
    damage(shard)
    said = refusal(TrainConfig(str(folder), str(tmp_path / "out"), 1, encoder=ENCODER))
    assert said.startswith(f"{shard}: damaged or replaced (")
    assert said.endswith(MEND)
    assert not (tmp_path / "out").exists()


def test_the_mend_mends(folder, made, synthetic_corpus):
    first, second = PreparedFolder(folder).shards("train")
    cut_between_records(first)  # another size: is found and written anew
    flipped(second)
    second.unlink()
    prepare(manifest.read(synthetic_corpus), folder, **OPTIONS)
    for path in made.rglob("*"):
        if path.is_file():
            assert (folder / path.relative_to(made)).read_bytes() == path.read_bytes()


def test_a_merge_misses_a_cut_shard(folder, synthetic_corpus):
    cut_between_records(PreparedFolder(folder).shards("train")[1])
    with pytest.raises(UserError, match="1 of 6 shards are missing, train-00001-of-00002.tfrecord"):
        prepare(manifest.read(synthetic_corpus), folder, **OPTIONS, merge=True)


def test_facts_are_those_of_the_files(made):
    known = PreparedFolder(made).corpus["files"]
    names = {path.name for path in made.iterdir() if path.is_file()}
    assert known.keys() == names - {"corpus.json", "settings.json", SUMS}
    for name, facts in known.items():
        content = (made / name).read_bytes()
        assert FileFacts.of(made / name) == FileFacts(facts["bytes"], facts["sha256"])
        assert facts["bytes"] == len(content)
    assert known["train-00000-of-00002.tfrecord"]["utterances"] == 6


def test_small_files(folder):
    for name, read in (
        ("stats.json", lambda: PreparedFolder(folder).stats),
        ("tokenizer.model", lambda: PreparedFolder(folder).tokenizer),
        ("dev.jsonl", lambda: PreparedFolder(folder).utterances("dev")),
        ("test.jsonl", lambda: recordings(folder, "test")),
    ):
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-2] + b"0" + content[-1:])
        with pytest.raises(UserError, match=f"{name}: damaged or replaced .*checksum.*`files` in"):
            read()


def test_a_manifest_that_was_changed_on_purpose(folder):
    path = folder / "test.jsonl"
    path.write_text(path.read_text().replace("/corpus/", "//corpus/"))
    content = files.read_json(folder / "corpus.json")
    del content["files"]["test.jsonl"]
    (folder / SUMS).unlink()
    files.write_json(folder / "corpus.json", content)
    assert len(recordings(folder, "test")) == 3


def test_folders_of_earlier_versions_say_nothing(folder):
    prepared = PreparedFolder(folder)
    flipped(prepared.shards("train")[0])
    with pytest.raises(UserError, match="train-00000-of-00002.tfrecord: damaged or replaced"):
        prepared.check_shards(("train", "dev"), quiet=True)
    content = files.read_json(folder / "corpus.json")
    del content["files"]
    (folder / SUMS).unlink()
    files.write_json(folder / "corpus.json", content)
    PreparedFolder(folder).check_shards(("train", "dev"), quiet=True)


@pytest.mark.slow
def test_a_training_that_skips_the_checksums(folder, tmp_path):
    flipped(PreparedFolder(folder).shards("train")[0])
    config = TrainConfig(str(folder), str(tmp_path / "out"), 1, encoder=ENCODER)
    train(
        dataclasses.replace(config, evaluate_every=None, keep="last"), quiet=True, checksums=False
    )


def test_damaged_facts(folder):
    content = files.read_json(folder / "corpus.json")
    (folder / SUMS).unlink()
    for wrong in (3, {"bytes": "many", "sha256": ""}, {}):
        content["files"]["stats.json"] = wrong
        files.write_json(folder / "corpus.json", content)
        with pytest.raises(UserError, match="corpus.json: files: stats.json: damaged"):
            _ = PreparedFolder(folder).stats
    content["files"] = []
    files.write_json(folder / "corpus.json", content)
    with pytest.raises(UserError, match="corpus.json: damaged"):
        _ = PreparedFolder(folder).stats
