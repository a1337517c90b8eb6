"""Preparation with the vocabulary of a model: to train it on, or to score it."""

import numpy as np
import pytest

from asr_qat.audio.decode import read_audio
from asr_qat.audio.front_end import LEVELLED_FRONT_END, log_mel
from asr_qat.errors import UserError
from asr_qat.text.tokenizer import Tokenizer
from asr_qat.training.config import TrainConfig
from asr_qat.training.run import train
from tests.prepare_fixtures import WORDS, add, entry, examples, record, run

pytest_plugins = ["tests.prepare_fixtures"]


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
