"""Small recordings and a cache of its own, for the tests of corpora."""

import numpy as np
import pytest
import soundfile


@pytest.fixture
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("ASR_QAT_CACHE", str(tmp_path / "cache"))


def tone(path, seconds=0.2, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    audio = 0.1 * np.sin(np.arange(round(seconds * rate)) * 0.3)
    soundfile.write(path, audio, rate, format="NIST" if path.suffix == ".sph" else None)


def ids(utterances):
    return [utterance.id for utterance in utterances]


def speakers(utterances):
    return {utterance.speaker for utterance in utterances}
