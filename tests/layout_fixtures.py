"""The instances of `tests/data/corpora`, and whether a corpus is what they were made of."""

import json
from pathlib import Path

import numpy as np

from asr_qat.corpora.utterance import Corpus

FOLDER = Path(__file__).parent / "data/corpora"
UTTERANCES = json.loads((FOLDER / "utterances.json").read_text(encoding="utf-8"))["utterances"]


def tone(samples, step):
    """What `tests/make_corpora.py` recorded: float32 `[samples]`."""
    phase = np.arange(samples) * step % 16000
    return (np.abs(phase - 8000) - 4000).astype(np.float32) / 32768


def check(corpus: Corpus, speakers=True, compare=np.testing.assert_array_equal):
    """Texts, speakers and samples are those of `UTTERANCES`."""
    expected = {facts["text"]: facts for facts in UTTERANCES.values()}
    found = [(split, item) for split, items in corpus.splits.items() for item in items]
    assert len(found) == len(expected)
    for split, item in found:
        facts = expected.pop(item.text)
        assert split == facts["split"]
        assert item.speaker == (facts["speaker"] if speakers else "")
        compare(item.read(16000), tone(facts["samples"], facts["step"]))
