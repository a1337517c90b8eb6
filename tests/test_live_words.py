"""Labels become words, and words messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.decoding.transducer_incremental import Emission
from tests.live_reference import (
    TOKENIZER,
)
from tflite_export.runtime.live.events import Notice, Transcript, event_message
from tflite_export.runtime.live.words import Word, words_of

pytestmark = pytest.mark.runtime


def test_words():
    parts = [b" ", b"A", b"B", b" C", " ⁇ ".encode(), b"D E"]
    labels = [1, 2, 0, 1, 3, 2, 4, 0, 5]
    emissions = [Emission(label, frame) for frame, label in enumerate(labels)]
    words = words_of(emissions, parts, 40.0, offset=10)
    assert [word.text for word in words] == ["AB", "A", "CB", "⁇", "D", "E"]
    assert words[0] == Word("AB", 0.4, 0.48)
    assert words[2] == Word("CB", 0.56, 0.64)


@given(st.lists(st.integers(0, TOKENIZER.vocab_size - 1), max_size=12))
def test_words_are_the_text_of_the_tokenizer(labels):
    words = words_of([Emission(label, 0) for label in labels], TOKENIZER.label_bytes(), 40.0)
    assert " ".join(w.text for w in words) == " ".join(TOKENIZER.decode(labels).split())


def test_messages():
    event = Transcript("corrected", 2, (Word("A", 0.0, 0.4), Word("B", 0.4, 0.8)), 1, 0.9)
    assert event_message(event) == {
        "type": "corrected",
        "text": "A B",
        "utterance": 2,
        "words": [
            {"text": "A", "start_s": 0.0, "end_s": 0.4},
            {"text": "B", "start_s": 0.4, "end_s": 0.8},
        ],
        "stable": 1,
        "heard_s": 0.9,
    }
    assert event_message(Notice("silence", 5.0, 5.0, "quiet"))["type"] == "notice"
