"""What texts go through before they are compared, and what is counted then."""

import json
import sys

import numpy as np
import pytest

from asr_qat.corpora.recordings import recordings
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError
from asr_qat.text.normalizers import scoring_normalizer
from asr_qat.text.tokenizer import Tokenizer
from tflite_export.score import evaluate
from tflite_export.score.evaluate import Run
from tflite_export.score.live_evaluate import StreamedRun, summarize_streamed

pytest_plugins = ["tests.export_fixtures"]

ITEMS = [
    Utterance("a", "a.wav", "MISTER GREY HAS TWENTY ONE COLOURS", "x"),
    Utterance("b", "b.wav", "IT'S FINE", "x"),
    Utterance("c", "c.wav", "ONE TWO THREE FOUR", "x"),
]
TEXTS = ["mr gray has 21 colors", "it is fine uh", "one two three five"]
OTHERS = ["MISTER GREY HAS TWENTY ONE COLOURS", "IT'S FINE", "ONE TWO TREE FIVE"]
SECONDS = np.array([3.0, 5.0, 31.0])


def run(texts: list[str]) -> Run:
    return Run(texts, [], np.full(3, 0.1), SECONDS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [  # of the tests of Whisper
        ("he's like", "he is like"),
        ("mr. park and assoc. prof. kim jr.", "mister park and associate professor kim junior"),
        ("two hundred and twenty three", "223"),
        ("one oh one", "101"),
        ("$20 million", "$20000000"),
        ("", ""),
    ],
)  # fmt: skip
def test_whisper(text, expected):
    assert scoring_normalizer("whisper")(text) == expected


def test_without_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "whisper_normalizer.english", None)
    with pytest.raises(UserError, match=r"pip install 'asr-qat\[whisper\]'"):
        scoring_normalizer("whisper")


def test_both_sides_are_normalized():
    plain = evaluate.summarize(run(TEXTS), ITEMS, 1)
    # Of 12 words: MR, GRAY, 21 for two, COLORS; IT IS for IT'S, UH; FIVE.
    assert (plain.words, plain.wer) == (12, 9 / 12)
    whisper = evaluate.summarize(run(TEXTS), ITEMS, 1, "whisper")
    # "mister gray has 21 colors", "it is fine", "1234" and "1235"
    assert (whisper.words, whisper.wer) == (9, 1 / 9)


def test_words_that_changed():
    found = evaluate.difference(run(OTHERS), run([*OTHERS[:2], "ONE TWO THREE SIX"]), ITEMS)
    assert found.wer_diff == pytest.approx(1 / 12)  # TREE; SIX is as wrong as FIVE
    assert found.words_changed == pytest.approx(2 / 12)
    same = evaluate.difference(run(OTHERS), run(OTHERS), ITEMS)
    assert (same.wer_diff, same.words_changed) == (0, 0)


def test_streams():
    streamed = StreamedRun({"first": TEXTS, "second": OTHERS}, np.ones(9), np.ones(3), SECONDS)
    found = summarize_streamed(streamed, ITEMS, 120, 1, streamed, "whisper")
    assert (found.words, found.first.wer, found.second.words_changed) == (9, 1 / 9, 0)


def test_rates_by_length():
    found = evaluate.by_length(run(OTHERS), ITEMS)
    assert [(row.group, row.utterances, row.words, row.wer) for row in found] == [
        ("0 to 5", 1, 6, 0.0),
        ("5 to 10", 1, 2, 0.0),
        ("30 and more", 1, 4, 0.5),
    ]


def test_texts_as_they_are(manifest):
    line = {**json.loads(manifest.read_text().splitlines()[0]), "text": "It's one, two!"}
    spoken = manifest.with_name("spoken.jsonl")
    spoken.write_text(json.dumps(line) + "\n")
    (raw,), (plain,) = recordings(spoken, normalizer="whisper"), recordings(spoken)
    assert (raw.text, plain.text) == ("It's one, two!", "IT'S ONE TWO")


def test_plain():
    assert scoring_normalizer("plain")(" It's ⁇ o'clock, now. ") == "IT'S ⁇ O'CLOCK NOW"


def test_a_vocabulary_of_lower_case():
    lower, upper = (Tokenizer.train([text], 40, "char") for text in ("it's one", "IT'S ONE"))
    assert lower.unknown_characters("IT'S ONE X") == {"X"}
    assert lower.encode("IT'S ONE") == lower.encode("it's one")
    assert lower.decode(lower.encode("IT'S ONE")) == "it's one"
    assert upper.unknown_characters("it's") == {"i", "t", "s"}
