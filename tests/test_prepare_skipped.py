"""Preparation of recordings that cannot be used: they are named, counted and passed over."""

import io
import os

import numpy as np
import pytest
import soundfile

from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.text.tokenizer import Tokenizer
from tests.prepare_fixtures import WORDS, add, entry, record, run

pytest_plugins = ["tests.prepare_fixtures"]


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


def test_no_bad_recording_ends_it(corpus, tmp_path):
    """Whatever is wrong with it: it is named, and the others are prepared."""
    content = (corpus / "train0.wav").read_bytes()
    flac = io.BytesIO()
    soundfile.write(flac, np.zeros(16000), 16000, format="FLAC")
    endless = bytearray(flac.getvalue())
    endless[21:26] = b"\xff" * 5  # 2^36 samples
    nan = io.BytesIO()
    soundfile.write(nan, np.full(16000, np.nan), 16000, format="WAV", subtype="FLOAT")
    rate = bytearray(content)
    rate[24:28] = bytes([1, 0, 0, 0])
    bad = {
        "a.raw": bytes(8000),
        "endless.flac": bytes(endless),
        "nan.wav": nan.getvalue(),
        "rate.wav": bytes(rate),
        "cut.wav": content[:1000],
        "playlist.m3u8": b"#EXTM3U\n/etc/passwd\n",
        os.fsdecode(b"\xff.wav"): b"RIFF",
    }
    for name, written in bad.items():
        (corpus / name).write_bytes(written)
        add(corpus, "train", entry(name, "ONE"))
    (corpus / "folder.wav").mkdir()
    add(corpus, "train", entry("folder.wav", "ONE"))
    prepared = run(corpus, tmp_path / "out")
    split = prepared.corpus["splits"]["train"]
    assert split["skipped"] == {"unreadable audio": len(bad) + 1}
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


def test_no_usable_utterance(corpus, tmp_path):
    for path in corpus.glob("train*.wav"):
        path.unlink()
    with pytest.raises(UserError, match="no usable utterance of train in manifest"):
        run(corpus, tmp_path / "out")


def test_no_usable_utterance_to_score(corpus, tmp_path):
    for path in (*corpus.glob("train*"), *corpus.glob("dev*"), *corpus.glob("test*.wav")):
        path.unlink()
    Tokenizer.train(WORDS, 40, "char").save(tmp_path / "given.model")
    with pytest.raises(UserError, match="no usable utterance of test in manifest"):
        run(corpus, tmp_path / "out", tokenizer=tmp_path / "given.model")
