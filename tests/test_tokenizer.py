"""Text normalisation and word pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.errors import UserError
from asr_qat.text.normalize import normalize
from asr_qat.text.tokenizer import MODEL_TYPES, Tokenizer

pytestmark = pytest.mark.runtime

TEXTS = [
    "THE QUICK BROWN FOX JUMPS OVER THE LAZY DOG",
    "DON'T STOP NOW",
    "SIX FOUR SIX TWO FOX",
] * 3


@pytest.fixture(scope="module", params=MODEL_TYPES)
def tokenizer(request) -> Tokenizer:
    return Tokenizer.train(TEXTS, 48, request.param)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hello,  world!\n", "HELLO WORLD"),
        ("don’t 'quote' the dogs' tails", "DON'T QUOTE THE DOGS TAILS"),
        ("twenty-one—or_so", "TWENTY ONE OR SO"),
        ("ﬁne １２", "FINE 12"),
        ("naïve straße", "NAÏVE STRASSE"),
        ("...", ""),
        ("", ""),
    ],
)
def test_normalize(text, expected):
    assert normalize(text) == expected


@given(st.text())
def test_normalize_is_idempotent(text):
    once = normalize(text)
    assert normalize(once) == once
    assert once == once.strip()
    assert "  " not in once


@given(words=st.lists(st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=8), min_size=1))
def test_round_trip(tokenizer, words):
    text = " ".join(words)
    ids = tokenizer.encode(text)
    assert all(0 < i < tokenizer.vocab_size for i in ids)
    assert tokenizer.decode(ids) == text


def test_letters_have_no_label_for_the_start():
    assert len(Tokenizer.train(TEXTS, 48, "char").encode("DOG")) == 3


def test_blank_is_the_class_after_the_pieces(tokenizer):
    assert tokenizer.blank == tokenizer.vocab_size == len(tokenizer.pieces())
    assert tokenizer.pieces()[0] == "<unk>"
    assert not {"<s>", "</s>"} & set(tokenizer.pieces())


def test_empty(tokenizer):
    assert tokenizer.encode("") == []
    assert tokenizer.decode([]) == ""


def test_characters_outside_the_vocabulary(tokenizer):
    with pytest.raises(UserError, match="7 É of 'CAFÉ 7'"):
        tokenizer.encode("CAFÉ 7")
    assert tokenizer.unknown_characters("CAFÉ 7") == {"É", "7"}


@pytest.mark.parametrize("model_type", MODEL_TYPES)
def test_pieces_in_lower_case(model_type):
    lower = Tokenizer.train([text.lower() for text in TEXTS], 48, model_type)
    assert lower.decode(lower.encode("THE LAZY FOX DON'T JUMP")) == "the lazy fox don't jump"
    with pytest.raises(UserError, match="7 É of 'CAFÉ 7'"):
        lower.encode("CAFÉ 7")


def test_training_is_deterministic(tokenizer):
    for model_type in MODEL_TYPES:
        once = Tokenizer.train(TEXTS, 40, model_type)
        assert once.proto == Tokenizer.train(TEXTS, 40, model_type).proto


def test_save_and_load(tokenizer, tmp_path):
    path = tmp_path / "tokenizer.model"
    tokenizer.save(path)
    for copy in (Tokenizer.load(path), Tokenizer.from_bytes(tokenizer.proto)):
        assert copy.proto == tokenizer.proto
        assert copy.pieces() == tokenizer.pieces()


def test_sizes_that_the_texts_cannot_fill():
    assert Tokenizer.train(["AB"], 64, "char").vocab_size <= 4
    for model_type in ("unigram", "bpe"):
        assert Tokenizer.train(TEXTS, 5000, model_type).vocab_size < 5000


@pytest.mark.parametrize(
    ("texts", "size", "model_type", "message"),
    [
        (TEXTS, 5, "bpe", "vocabulary size 5"),
        (TEXTS, 40, "word", "choose one of char, unigram, bpe"),
        (["", ""], 40, "char", "no transcripts"),
    ],
)
def test_training_mistakes(texts, size, model_type, message):
    with pytest.raises(UserError, match=message) as caught:
        Tokenizer.train(texts, size, model_type)
    assert "\n" not in str(caught.value)


def test_loading_mistakes(tmp_path):
    with pytest.raises(UserError, match="no such tokenizer file"):
        Tokenizer.load(tmp_path / "none.model")
    (tmp_path / "bad.model").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="bad.model: not a SentencePiece model"):
        Tokenizer.load(tmp_path / "bad.model")


@pytest.mark.parametrize("model_type", ["unigram", "bpe"])
def test_a_size_that_is_too_small_names_one_that_is_not(model_type):
    with pytest.raises(UserError, match=r"it takes \d+ or more, or --byte-fallback") as caught:
        Tokenizer.train(TEXTS, 8, model_type)
    least = int(str(caught.value).split("it takes ")[1].split()[0])
    assert Tokenizer.train(TEXTS, least, model_type).vocab_size >= least - 1


def test_a_piece_that_is_no_text():
    """SentencePiece loads such a vocabulary, and fails where the piece is asked for."""
    proto = Tokenizer.train(["QUIZ"], 10, "char").proto
    assert proto.count(b"Q") == 1
    with pytest.raises(UserError, match="not a SentencePiece model, or only part of one"):
        Tokenizer.from_bytes(proto.replace(b"Q", b"\xff"))


def test_files_that_hold_no_vocabulary(tmp_path):
    with pytest.raises(UserError, match="a folder: expected a file"):
        Tokenizer.load(tmp_path)
    path = tmp_path / "large.model"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # of no block on the disk
    with pytest.raises(UserError, match="large.model: more than 67,108,864 bytes"):
        Tokenizer.load(path)
