"""Preparation: what is written, what is skipped and said, and how it survives being cut off."""

import argparse
import io
import json
import os

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from asr_qat import files
from asr_qat.audio.decode import read_audio
from asr_qat.audio.front_end import LEVELLED_FRONT_END, log_mel
from asr_qat.commands import prepare as command
from asr_qat.corpora.prepare import prepare
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.prepared_summary import MIN_STD
from asr_qat.corpora.readers import manifest
from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError, exit_code
from asr_qat.text.tokenizer import Tokenizer
from asr_qat.training.config import TrainConfig
from asr_qat.training.run import train

WORDS = ["ONE TWO", "THREE", "FOUR FIVE SIX", "SEVEN EIGHT"]


def record(path, seconds=1.0, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(-9000, 9000, round(seconds * 16000))
    soundfile.write(path, noise.astype(np.int16), 16000)


@pytest.fixture
def corpus(tmp_path):
    """Manifests of 10 training, 2 dev and 2 test utterances."""
    folder = tmp_path / "corpus"
    for split, count in (("train", 10), ("dev", 2), ("test", 2)):
        lines = []
        for i in range(count):
            record(folder / f"{split}{i}.wav", 0.8 + 0.1 * i, seed=i)
            lines.append(entry(f"{split}{i}.wav", WORDS[i % 4], speaker=f"{split}-{i % 2}"))
        (folder / f"{split}.jsonl").write_text("".join(lines))
    return folder


def entry(audio, text, **extra):
    return json.dumps({"audio_filepath": audio, "text": text} | extra) + "\n"


def add(corpus, split, *lines):
    with (corpus / f"{split}.jsonl").open("a") as file:
        file.writelines(lines)


def run(corpus, out, **options):
    defaults = {"vocab_size": 40, "model_type": "char", "quiet": True}
    prepare(manifest.read(corpus), out, **(defaults | options))
    return PreparedFolder(out)


def examples(prepared, split):
    schema = {
        "id": tf.io.FixedLenFeature([], tf.string),
        "audio": tf.io.FixedLenFeature([], tf.string),
        "samples": tf.io.FixedLenFeature([], tf.int64),
        "text": tf.io.FixedLenFeature([], tf.string),
        "tokens": tf.io.RaggedFeature(tf.int64),
    }
    dataset = tf.data.TFRecordDataset([str(path) for path in prepared.shards(split)])
    return [tf.io.parse_single_example(item, schema) for item in dataset]


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def test_shards_hold_the_recordings(corpus, tmp_path):
    tfio = pytest.importorskip("tensorflow_io")
    prepared = run(corpus, tmp_path / "out", shards=3)
    assert [p.name for p in prepared.shards("train")] == [
        f"train-0000{i}-of-00003.tfrecord" for i in range(3)
    ]
    lines = prepared.utterances("train")
    found = examples(prepared, "train")
    assert len(found) == len(lines) == 10
    for example, line in zip(found, lines, strict=True):
        audio = tfio.audio.decode_flac(example["audio"], dtype=tf.int16).numpy()[:, 0] / 32768
        np.testing.assert_array_equal(audio, read_audio(line["audio_filepath"]))
        assert example["id"].numpy().decode() == line["id"]
        assert example["samples"] == len(audio) == round(line["duration"] * 16000)
        assert example["text"].numpy().decode() == line["text"]
        assert prepared.tokenizer.decode(example["tokens"].numpy()) == line["text"]
        assert line["speaker"] in ("train-0", "train-1")


def test_stats_are_those_of_the_training_frames(corpus, tmp_path):
    stats = run(corpus, tmp_path / "out", shards=3).stats
    frames = np.concatenate(
        [
            log_mel(read_audio(path), LEVELLED_FRONT_END)
            for path in sorted(corpus.glob("train*.wav"))
        ]
    ).astype(np.float64)
    assert stats.frames == len(frames)
    assert stats.front_end == LEVELLED_FRONT_END
    np.testing.assert_allclose(stats.mean, frames.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(stats.std, np.maximum(frames.std(axis=0), MIN_STD), rtol=1e-5)


def test_corpus_facts(corpus, tmp_path):
    prepared = run(corpus, tmp_path / "out")
    facts = prepared.corpus
    assert facts["name"] == "manifest"
    assert facts["speakers"] == 6
    assert {s: v["utterances"] for s, v in facts["splits"].items()} == {
        "train": 10,
        "dev": 2,
        "test": 2,
    }
    hours = sum(line["duration"] for line in prepared.utterances("train")) / 3600
    assert facts["splits"]["train"]["hours"] == pytest.approx(hours)
    assert facts["skipped"] == []


def test_two_runs_write_the_same_bytes(corpus, tmp_path):
    run(corpus, tmp_path / "a", shards=2)
    run(corpus, tmp_path / "b", shards=2)
    assert content(tmp_path / "a") == content(tmp_path / "b")


@pytest.fixture
def flawed(corpus):
    (corpus / "empty.wav").touch()
    (corpus / "corrupt.wav").write_bytes(b"RIFFnonsense")
    record(corpus / "tiny.wav", 0.05)
    record(corpus / "quick.wav", 0.5)
    many = " ".join(["SEVEN"] * 8)
    add(
        corpus,
        "train",
        entry("empty.wav", "ONE"),
        entry("corrupt.wav", "ONE"),
        entry("absent.wav", "ONE"),
        entry("tiny.wav", "ONE"),
        entry("quick.wav", many),
        entry("train0.wav", "...", id="untranscribed"),
    )
    record(corpus / "quick-test.wav", 0.5)
    add(corpus, "test", entry("quick-test.wav", many))
    return corpus


def test_unusable_utterances_are_counted_and_named(flawed, tmp_path, caplog):
    prepared = run(flawed, tmp_path / "out", quiet=False)
    assert prepared.corpus["splits"]["train"]["skipped"] == {
        "unreadable audio": 3,
        "too short": 1,
        "too short for its labels": 1,
        "no transcript": 1,
    }
    skipped = {line["id"]: line["detail"] for line in prepared.corpus["skipped"]}
    assert skipped.keys() == {
        "empty", "corrupt", "absent", "tiny", "quick", "untranscribed"
    }  # fmt: skip
    assert skipped["absent"].startswith(f"{flawed / 'train.jsonl'}: line 13: ")
    assert {f"skipped {name}: {detail}" for name, detail in skipped.items()} == {*caplog.messages}
    assert len(prepared.utterances("train")) == 10


def test_silence_under_words_is_skipped(corpus, tmp_path):
    """Digital silence, an offset alone, noise of the last bit; quiet speech is none of these."""
    rng = np.random.default_rng(0)
    noise = rng.normal(0, 1, 16000)
    sounds = {
        "zeros": np.zeros(16000),
        "offset": np.full(16000, 2000),
        "bit": rng.integers(0, 2, 16000),
        "quiet": np.where(np.arange(16000) < 8000, 0, 60 * noise),  # -55 dB for half a second
    }
    for name, sound in sounds.items():
        soundfile.write(corpus / f"{name}.wav", sound.astype(np.int16), 16000)
        add(corpus, "train", entry(f"{name}.wav", "ONE"))
    soundfile.write(corpus / "silent-test.wav", np.zeros(16000, np.int16), 16000)
    add(corpus, "test", entry("silent-test.wav", "ONE"))
    prepared = run(corpus, tmp_path / "out")
    skipped = {line["id"]: line["reason"] for line in prepared.corpus["skipped"]}
    assert skipped == dict.fromkeys(["zeros", "offset", "bit"], "silence")
    assert "silent-test" in [line["id"] for line in prepared.utterances("test")]


def test_labels_that_fit_by_4_and_not_by_8_are_named(corpus, tmp_path):
    record(corpus / "dense.wav", 1.0)  # 98 frames: 25 by 4, 13 by 8
    add(corpus, "train", entry("dense.wav", "ONE TWO SIX TEN FIVE"))  # 20 characters
    prepared = run(corpus, tmp_path / "out")
    assert "dense" in [line["id"] for line in prepared.utterances("train")]
    assert prepared.corpus["dense"] == ["dense"]
    assert all("dense" not in line for line in prepared.utterances("train"))


def test_segments_of_one_recording(corpus, tmp_path):
    long = np.random.default_rng(0).integers(-9000, 9000, 48000).astype(np.int16)
    soundfile.write(corpus / "long.wav", long, 16000)
    add(
        corpus,
        "train",
        entry("long.wav", "ONE", offset=0.0, duration=1.0),
        entry("long.wav", "TWO", offset=1.0, duration=0.75),
        entry("long.wav", "SIX", offset=2.5),
    )
    prepared = run(corpus, tmp_path / "out")
    expected = {
        "long-0.000": long[:16000],
        "long-1.000": long[16000:28000],
        "long-2.500": long[40000:],
    }
    found = {
        example["id"].numpy().decode(): soundfile.read(
            io.BytesIO(example["audio"].numpy()), dtype="int16"
        )[0]
        for example in examples(prepared, "train")
    }
    for name, pcm in expected.items():
        np.testing.assert_array_equal(found[name], pcm)
    again = {item.id: item for item in recordings(prepared.path, "train")}
    for name, pcm in expected.items():  # scoring reads the same
        np.testing.assert_array_equal(again[name].read(16000), pcm / np.float32(32768))


def test_a_hard_utterance_stays_in_the_test_set(flawed, tmp_path):
    prepared = run(flawed, tmp_path / "out")
    assert "quick-test" in [line["id"] for line in prepared.utterances("test")]


def test_strict_lists_then_fails_then_can_be_waived(flawed, tmp_path, caplog):
    with pytest.raises(UserError, match="6 of 21 utterances cannot be used"):
        run(flawed, tmp_path / "out", strict=True)
    assert [line.startswith("skipped ") for line in caplog.messages] == 6 * [True]
    with pytest.raises(UserError, match="preparation is incomplete: run `asr-qat prepare"):
        PreparedFolder(tmp_path / "out")
    assert len(run(flawed, tmp_path / "out").utterances("train")) == 10


def test_given_tokenizer(corpus, tmp_path):
    given = Tokenizer.train(["ONE TWO THREE FOUR FIVE", "SIX"], 40, "char")
    given.save(tmp_path / "given.model")
    prepared = run(corpus, tmp_path / "out", tokenizer=tmp_path / "given.model")
    assert prepared.tokenizer.proto == given.proto
    skipped = prepared.corpus["skipped"]
    assert {line["reason"] for line in skipped} == {"characters outside the vocabulary"}
    assert "G not in the vocabulary" in skipped[0]["detail"]


def test_test_utterances_outside_the_vocabulary_are_scored(corpus, tmp_path, capsys):
    given = Tokenizer.train(["ONE TWO THREE FOUR FIVE", "SIX"], 40, "char")
    given.save(tmp_path / "given.model")
    record(corpus / "hard.wav")
    add(corpus, "test", entry("hard.wav", "SEVEN EIGHT"))
    prepared = run(corpus, tmp_path / "out", tokenizer=tmp_path / "given.model")
    facts = prepared.corpus["splits"]
    assert (facts["test"]["utterances"], facts["test"]["skipped"]) == (3, {})
    assert [facts[split]["outside_vocabulary"] for split in facts] == [0, 0, 1]
    assert prepared.utterances("test")[2]["text"] == "SEVEN EIGHT"
    assert given.decode(examples(prepared, "test")[2]["tokens"]) == "SEVEN EIHT"


def test_test_utterances_alone(corpus, tmp_path, caplog):
    """Enough to score a model on, with its own vocabulary."""
    for split in ("train", "dev"):
        (corpus / f"{split}.jsonl").unlink()
    with pytest.raises(UserError, match="manifest: no training utterances .* --tokenizer"):
        run(corpus, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    Tokenizer.train(WORDS, 40, "char").save(tmp_path / "given.model")
    prepared = run(corpus, tmp_path / "out", tokenizer=tmp_path / "given.model", quiet=False)
    assert "manifest: no utterances of train or dev: left out" in caplog.messages
    assert prepared.corpus["splits"].keys() == {"test"}
    assert len(prepared.utterances("test")) == len(examples(prepared, "test")) == 2
    assert not list(prepared.path.glob("train*"))
    frames = [log_mel(read_audio(path), LEVELLED_FRONT_END) for path in corpus.glob("test*.wav")]
    assert prepared.stats.frames == sum(map(len, frames))
    np.testing.assert_allclose(prepared.stats.mean, np.concatenate(frames).mean(axis=0), rtol=1e-4)

    config = TrainConfig(str(prepared.path), str(tmp_path / "model"), 1)
    expected = "no split 'train': it has test: prepare a corpus that has it"
    with pytest.raises(UserError, match=expected):
        train(config)
    assert not (tmp_path / "model").exists()


def test_no_usable_utterance_to_score(corpus, tmp_path):
    for path in (*corpus.glob("train*"), *corpus.glob("dev*"), *corpus.glob("test*.wav")):
        path.unlink()
    Tokenizer.train(WORDS, 40, "char").save(tmp_path / "given.model")
    with pytest.raises(UserError, match="no usable utterance of test in manifest"):
        run(corpus, tmp_path / "out", tokenizer=tmp_path / "given.model")


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


def test_no_usable_utterance(corpus, tmp_path):
    for path in corpus.glob("train*.wav"):
        path.unlink()
    with pytest.raises(UserError, match="no usable utterance of train in manifest"):
        run(corpus, tmp_path / "out")


def test_bad_shard_count(corpus, tmp_path):
    with pytest.raises(UserError, match="--shards 0"):
        run(corpus, tmp_path / "out", shards=0)


def test_more_shards_than_utterances(corpus, tmp_path):
    prepared = run(corpus, tmp_path / "out", shards=5)
    assert len(prepared.shards("train")) == 5
    assert len(prepared.shards("dev")) == 2


def test_prepared_folder_mistakes(corpus, tmp_path):
    with pytest.raises(UserError, match="not a prepared folder: run `asr-qat prepare"):
        PreparedFolder(tmp_path / "nowhere")
    prepared = run(corpus, tmp_path / "out")
    with pytest.raises(UserError, match="no split 'eval': it has train, dev, test"):
        prepared.shards("eval")
    prepared.shards("dev")[0].unlink()
    with pytest.raises(UserError, match="dev-00000-of-00001.tfrecord: missing: remove"):
        prepared.shards("dev")
    (prepared.path / "dev.jsonl").write_text("{")
    with pytest.raises(UserError, match="dev.jsonl: damaged"):
        prepared.utterances("dev")
    files.write_json(prepared.path / "stats.json", {"mean": []})
    with pytest.raises(UserError, match="stats.json: damaged"):
        _ = prepared.stats


def test_command(corpus, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    line = ["prepare", "--corpus", "manifest", "--data", str(corpus), "--out"]
    args = parser.parse_args([*line, str(tmp_path / "out"), "--vocab-size", "40"])
    assert exit_code("asr-qat", lambda: args.run(args)) == 0
    assert "train: 10 utterances, 0.00 h" in capsys.readouterr().out
    (corpus / "train0.wav").write_bytes(b"RIFFnonsense")
    args = parser.parse_args([*line, str(tmp_path / "other"), "--vocab-size", "40", "--quiet"])
    assert exit_code("asr-qat", lambda: args.run(args)) == 1
    assert "other: complete, but without 1 recording that cannot be read" in capsys.readouterr().err
    assert len(PreparedFolder(tmp_path / "other").utterances("train")) == 9
    args = parser.parse_args(["prepare", "--corpus", "manifest", "--out", "x", "--quiet"])
    assert exit_code("asr-qat", lambda: args.run(args)) == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_names_that_are_not_utf8(corpus, tmp_path):
    name = os.fsdecode(b"caf\xe9")
    record(corpus / "a.wav")
    (corpus / "a.wav").rename(corpus / f"{name}.wav")
    add(corpus, "train", entry(f"{name}.wav", "ONE"), entry(f"{name}-absent.wav", "ONE"))
    prepared = run(corpus, tmp_path / "out")
    (line,) = (line for line in prepared.utterances("train") if line["id"] == name)
    assert read_audio(line["audio_filepath"]).any()
    assert [line["id"] for line in prepared.corpus["skipped"]] == [f"{name}-absent"]
