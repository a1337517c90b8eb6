"""Preparation that was cut off, and folders that are there already."""

import pytest

from asr_qat import files
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError
from asr_qat.folder_sums import SUMS
from tests.prepare_fixtures import add, content, entry, run

pytest_plugins = ["tests.prepare_fixtures"]


def test_killed_preparation_is_taken_up(corpus, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(corpus, tmp_path / "whole", shards=4)
    read, seen = Utterance.read, []

    def dies_at_the_sixth(utterance, rate):
        if len(seen) == 5:
            raise KeyboardInterrupt
        seen.append(utterance)
        return read(utterance, rate)

    monkeypatch.setattr(Utterance, "read", dies_at_the_sixth)
    with pytest.raises(KeyboardInterrupt):
        run(corpus, out, shards=4)
    assert len(list(out.glob("*.tfrecord"))) == 2  # of 2 and 3 utterances
    monkeypatch.setattr(Utterance, "read", lambda item, rate: seen.append(item) or read(item, rate))
    run(corpus, out, shards=4)
    assert len(seen) == 14  # no finished shard was read again
    assert content(out) == content(tmp_path / "whole")
    run(corpus, out, shards=4)
    assert len(seen) == 14


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab_size": 39}, "vocab_size 40, now 39"),
        ({"model_type": "bpe"}, "model_type char, now bpe"),
        ({"shards": 2}, "shards None, now 2"),
    ],
)
def test_other_settings_are_refused(corpus, tmp_path, options, message):
    run(corpus, tmp_path / "out")
    with pytest.raises(UserError, match=f"{message}: choose another --out"):
        run(corpus, tmp_path / "out", **options)


def test_other_utterances_are_refused(corpus, tmp_path):
    run(corpus, tmp_path / "out")
    add(corpus, "train", entry("train0.wav", "ONE", id="more"))
    with pytest.raises(UserError, match="was prepared with other utterances"):
        run(corpus, tmp_path / "out")


def test_a_folder_of_other_things_is_left_alone(corpus, tmp_path):
    with pytest.raises(UserError, match="is not a prepared folder: choose another --out"):
        run(corpus, corpus)


def test_bad_shard_count(corpus, tmp_path):
    with pytest.raises(UserError, match="--shards 0"):
        run(corpus, tmp_path / "out", shards=0)


def test_prepared_folder_mistakes(corpus, tmp_path):
    with pytest.raises(UserError, match="not a prepared folder: run `asr-qat prepare"):
        PreparedFolder(tmp_path / "nowhere")
    prepared = run(corpus, tmp_path / "out")
    with pytest.raises(UserError, match="no split 'eval': it has train, dev, test"):
        prepared.shards("eval")
    prepared.shards("dev")[0].unlink()
    with pytest.raises(UserError, match="dev-00000-of-00001.tfrecord: missing: remove"):
        prepared.shards("dev")
    (prepared.path / SUMS).unlink()
    (prepared.path / "dev.jsonl").write_text("{")
    with pytest.raises(UserError, match="dev.jsonl: damaged"):
        prepared.utterances("dev")
    files.write_json(prepared.path / "stats.json", {"mean": []})
    with pytest.raises(UserError, match="stats.json: damaged"):
        _ = prepared.stats
