"""Splits that are held out of the training split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.corpora.readers.hold_out import complete_splits, hold_out_speakers
from asr_qat.corpora.utterance import SPLITS, Utterance
from asr_qat.errors import UserError
from tests.corpus_fixtures import ids, speakers


@given(st.lists(st.integers(0, 40), min_size=3, max_size=60))
def test_complete_splits_partition_by_speaker_or_utterance(numbers):
    train = [Utterance(f"u{i:03d}", None, "A", f"s{s:02d}") for i, s in enumerate(numbers)]
    splits, note = complete_splits({"train": train}, "corpus")
    assert sorted(ids(sum((splits[split] for split in SPLITS), []))) == ids(train)
    assert all(splits[split] for split in SPLITS)
    if "speakers" in note:
        assert not speakers(splits["train"]) & speakers(splits["dev"] + splits["test"])
        assert not speakers(splits["dev"]) & speakers(splits["test"])
    else:
        assert len(speakers(train)) < 10


def test_given_splits_are_kept():
    utterances = [Utterance(str(i), None, "A", "s") for i in range(4)]
    splits = {"train": utterances[:2], "dev": utterances[2:3], "test": utterances[3:]}
    assert complete_splits(splits, "corpus") == (splits, "")


def test_nothing_to_hold_out_of():
    test = [Utterance("a", None, "A", "s")]
    assert complete_splits({"train": [], "dev": [], "test": test}, "corpus") == ({"test": test}, "")


def test_too_little_to_split():
    with pytest.raises(UserError, match="2 training utterances and no dev or test"):
        complete_splits({"train": [Utterance(str(i), None, "A", "s") for i in "ab"]}, "corpus")


def test_hold_out_speakers():
    train = [Utterance(str(i), None, "A", f"s{i % 5}") for i in range(10)]
    rest, held = hold_out_speakers(train, every=3, offset=1)
    assert speakers(held) == {"s1", "s4"}
    assert ids(held) == ["1", "4", "6", "9"]
    assert len(rest) == 6
