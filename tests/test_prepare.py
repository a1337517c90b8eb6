"""Preparation: what is written."""

import argparse
import io
import os
import re

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from asr_qat.audio.decode import read_audio
from asr_qat.audio.front_end import LEVELLED_FRONT_END, log_mel
from asr_qat.commands import prepare as command
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.prepared_summary import MIN_STD
from asr_qat.corpora.recordings import recordings
from asr_qat.errors import exit_code
from tests.prepare_fixtures import add, content, entry, examples, record, run

pytest_plugins = ["tests.prepare_fixtures"]


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


def test_more_shards_than_utterances(corpus, tmp_path):
    prepared = run(corpus, tmp_path / "out", shards=5)
    assert len(prepared.shards("train")) == 5
    assert len(prepared.shards("dev")) == 2


def test_command(corpus, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    command.add_parser(parser.add_subparsers())
    line = ["prepare", "--corpus", "manifest", "--data", str(corpus), "--out"]
    args = parser.parse_args([*line, str(tmp_path / "out"), "--vocab-size", "40"])
    assert exit_code("asr-qat", lambda: args.run(args)) == 0
    assert re.search(r"train: 10 utterances, \d+\.\d s\n", capsys.readouterr().out)
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
