"""Vocabularies that spell rare characters in bytes: training, text, streams."""

import dataclasses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asr_qat.decoding.transducer_incremental import Emission
from asr_qat.errors import UserError
from asr_qat.text.tokenizer import MODEL_TYPES, Tokenizer
from asr_qat.text.words import REPLACEMENT, word_spans
from tests.live_reference import ReferenceSteps, reference_model, speech
from tflite_export.runtime.live import session
from tflite_export.runtime.live.endpoint import WHOLE_RECORDING
from tflite_export.runtime.live.events import Transcript
from tflite_export.runtime.live.words import Word, words_of

pytestmark = pytest.mark.runtime

TEXTS = ["THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG"] * 400 + ["FIVE € EACH"]
TOKENIZERS = {kind: Tokenizer.train(TEXTS, 320, kind, byte_fallback=True) for kind in MODEL_TYPES}
TOKENIZER = TOKENIZERS["unigram"]


def emissions(labels, every=1):
    return [Emission(label, every * frame) for frame, label in enumerate(labels)]


def texts(words):
    return [word.text for word in words]


@pytest.mark.parametrize("kind", MODEL_TYPES)
@given(text=st.lists(st.text("ABC€É東🎉क्", min_size=1), min_size=1).map(" ".join))
def test_any_text_comes_back(kind, text):
    tokenizer = TOKENIZERS[kind]
    assert tokenizer.byte_fallback
    assert tokenizer.unknown_characters(text) == set()
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_rare_characters_have_no_piece():
    pieces = TOKENIZER.pieces()
    assert "€" not in "".join(pieces) and {f"<0x{byte:02X}>" for byte in range(256)} <= {*pieces}
    assert [pieces[i] for i in TOKENIZER.encode("€")][-3:] == ["<0xE2>", "<0x82>", "<0xAC>"]


def test_case():
    small = Tokenizer.train([text.lower() for text in TEXTS], 320, "char", byte_fallback=True)
    assert small.lower_case and not TOKENIZER.lower_case
    assert small.decode(small.encode("É FOX")) == "é fox"


def test_other_vocabularies_have_none():
    plain = Tokenizer.train(TEXTS, 60, "bpe")
    assert not plain.byte_fallback
    assert plain.unknown_characters("É") == {"É"}


def test_a_vocabulary_too_small_for_the_bytes():
    with pytest.raises(UserError, match="vocabulary size 100 "):
        Tokenizer.train(TEXTS, 100, "bpe", byte_fallback=True)


LABELS = st.lists(
    st.one_of(
        st.integers(0, TOKENIZER.vocab_size - 1),
        st.sampled_from(TOKENIZER.encode("€ É 東 🎉")),
    ),
    max_size=12,
)


@given(LABELS)
@example(TOKENIZER.encode("€")[:-1])
@example(TOKENIZER.encode("€")[1:] + TOKENIZER.encode("THE"))
def test_words_are_the_text_of_the_tokenizer(labels):
    words = words_of(emissions(labels), TOKENIZER.label_bytes(), 40.0)
    assert " ".join(texts(words)) == " ".join(TOKENIZER.decode(labels).split())


@given(st.lists(st.text("AB€É東🎉क", min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_stream_never_shows_half_a_character(spoken):
    labels, parts = TOKENIZER.encode(" ".join(spoken)), TOKENIZER.label_bytes()
    whole = words_of(emissions(labels), parts, 40.0)
    before = ""
    for count in range(len(labels) + 1):
        shown = words_of(emissions(labels[:count]), parts, 40.0, ended=False)
        text = " ".join(texts(shown))
        assert REPLACEMENT not in text
        assert " ".join(texts(whole)).startswith(text) and text.startswith(before)
        before = text
    assert shown == whole and texts(whole) == spoken


def test_times_are_those_of_all_bytes():
    parts = [b" A", b" ", b"\xe2", b"\x82", b"\xac", b"B"]
    found = words_of(emissions([0, 1, 2, 3, 4, 5], every=10), parts, 40.0)
    assert found == [Word("A", 0.0, 0.04), Word("€B", 0.8, 2.04)]
    shown = words_of(emissions([0, 1, 2, 3], every=10), parts, 40.0, ended=False)
    assert shown == [Word("A", 0.0, 0.04)]


@pytest.mark.parametrize(
    ("parts", "ended", "expected"),
    [
        ([b"\xe2", b"\x82"], False, []),
        ([b"\xe2", b"\x82"], True, [(2 * REPLACEMENT, 0, 1)]),
        ([b"A", b"\xe2", b"\x82"], False, [("A", 0, 0)]),
        ([b"\xe2", b"A"], False, [(f"{REPLACEMENT}A", 0, 1)]),
        ([b"\xff"], False, [(REPLACEMENT, 0, 0)]),
        ([b"A", b"\xc3", b"\x89"], False, [("AÉ", 0, 2)]),
        ([b"\xf0", b"\x9f", b"\x8e", b"\x89", b"\xf0"], False, [("🎉", 0, 3)]),
        ([b"\x8e", b" ", b"\xf0", b"\x9f", b"\x8e"], False, [(REPLACEMENT, 0, 0)]),
    ],
)
def test_spans(parts, ended, expected):
    found = [(word.text, word.first, word.last) for word in word_spans(parts, ended)]
    assert found == expected


def test_a_session_with_bytes(monkeypatch):
    """Its last words are those of the tokenizer; before them it waits for whole characters."""
    tokenizer = Tokenizer.train(["A B"] * 400, 262, "char", byte_fallback=True)
    waited = []

    def group(*arguments):
        waited.append(not arguments[-1])
        return words_of(*arguments)

    monkeypatch.setattr(session, "words_of", group)
    for seed in range(3):
        steps = ReferenceSteps(tokenizer.blank, seed, 2.0)
        model = dataclasses.replace(reference_model(1, 2, seed), tokenizer=tokenizer, steps=steps)
        stream = session.Session(model, WHOLE_RECORDING)
        stream.accept(speech(2.0, seed))
        assert waited and all(waited)
        waited.clear()
        *_, final = (event for event in stream.finish() if isinstance(event, Transcript))
        assert not waited.pop() and final.kind == "final"
        waited.clear()
        assert stream.ended is not None
        text = tokenizer.decode(stream.ended.second.tokens)
        assert final.text == " ".join(text.split()) and REPLACEMENT in text
