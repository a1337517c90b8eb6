"""Durations and word pieces of LibriSpeech's training parts."""

import numpy as np
import pytest
import soundfile

from asr_qat.corpora.transcript_lengths import measure_lengths
from asr_qat.errors import UserError

TEXTS = ("ONE TWO", "TWO THREE FOUR", "FOUR FIVE SIX SEVEN")
SECONDS = (0.5, 1.0, 2.5)


def _part(root, name):
    folder = root / name / "19" / "198"
    folder.mkdir(parents=True)
    lines = []
    for i, (text, seconds) in enumerate(zip(TEXTS, SECONDS, strict=True)):
        soundfile.write(folder / f"19-198-{i:04d}.flac", np.zeros(int(16000 * seconds)), 16000)
        lines.append(f"19-198-{i:04d} {text}")
    (folder / "19-198.trans.txt").write_text("\n".join(lines) + "\n")


@pytest.fixture
def folder(tmp_path):
    for name in ("train-clean-100", "dev-clean", "test-clean"):
        _part(tmp_path, name)
    return tmp_path


def test_labels_and_seconds(folder):
    found = measure_lengths(folder, vocab_size=18, quiet=True)
    assert found.tokenizer.vocab_size == 18
    order = np.argsort(found.seconds)
    assert found.seconds[order].tolist() == list(SECONDS)
    pieces = [len(found.tokenizer.encode(text)) for text in TEXTS]
    assert found.labels[order].tolist() == pieces
    assert found.labels_per_second == pytest.approx(sum(pieces) / sum(SECONDS))


def test_a_given_tokenizer_is_used(folder, tmp_path):
    small = measure_lengths(folder, vocab_size=18, quiet=True).tokenizer
    small.save(tmp_path / "given.model")
    found = measure_lengths(folder, tmp_path / "given.model", quiet=True)
    assert found.tokenizer.proto == small.proto


def test_too_few_transcripts_for_a_vocabulary(folder):
    with pytest.raises(UserError, match="word pieces, not 1024"):
        measure_lengths(folder, quiet=True)


def test_without_training_part(tmp_path):
    _part(tmp_path, "test-clean")
    with pytest.raises(UserError, match="no train-"):
        measure_lengths(tmp_path, quiet=True)
