"""Normalisation and error rates of texts in the world's scripts."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asr_qat.errors import UserError
from asr_qat.text.normalize import lower, normalize, verbatim
from asr_qat.text.normalizers import (
    NAMES,
    OF_TRAINING,
    check_training,
    scoring_normalizer,
    training_normalizer,
)
from asr_qat.text.tokenizer import Tokenizer
from tflite_export.score.statistics import character_errors, word_errors

pytestmark = pytest.mark.runtime

SCRIPTS = {  # as they are written, and their words in lower case
    "Hindi": ("प्राचीन भाषा में।", "प्राचीन भाषा में"),
    "Tamil": ("கட்டு படி, நாடு!", "கட்டு படி நாடு"),
    "Malayalam, a final joiner": ("അവന്\u200d വന്നു.", "അവന്\u200d വന്നു"),
    "Sinhala": ("ශ්\u200dරී ලංකාව", "ශ්\u200dරී ලංකාව"),
    "Bengali": ("বাংলা ভাষা?", "বাংলা ভাষা"),
    "Arabic": ("أَهْلًا، وَسَهْلًا؟", "أَهْلًا وَسَهْلًا"),
    "Arabic presentation forms": ("\ufee3\ufeae\ufea3\ufe92\ufe8e", "مرحبا"),
    "Persian": ("می\u200cخواهم «کتاب\u200c» بخوانم", "می\u200cخواهم کتاب بخوانم"),
    "Hebrew": ('שָׁלוֹם, צה"ל וג׳ירפה', "שָׁלוֹם צה״ל וג׳ירפה"),
    "Thai": ("น้ำใจ ทำดี", "น้ำใจ ทำดี"),
    "Lao": ("ນ້ຳ", "ນ້ຳ"),
    "Khmer": ("ភាសា\u200bខ្មែរ។", "ភាសា ខ្មែរ"),
    "Yoruba": ("Ọ̀nà àti ọ̀rẹ́.", "ọ̀nà àti ọ̀rẹ́"),
    "Vietnamese": ("Tiếng Việt, “đẹp”", "tiếng việt đẹp"),
    "Vietnamese, decomposed": (unicodedata.normalize("NFD", "Tiếng Việt"), "tiếng việt"),
    "German": ("Straße, »naß«", "straße naß"),
    "Turkish": ("Işık; çay", "işık çay"),
    "Catalan": ("la pel·lícula", "la pel·lícula"),
    "Greek": ("Γειά σας.", "γειά σας"),
    "Korean": ("안녕, 세계!", "안녕 세계"),
    "Japanese": ("ガギグ、ｶﾞｷﾞ", "ガギグ ガギ"),
    "soft hyphens and marks of direction": ("soft\u00adware \u202bא\u202c \ufeffb", "software א b"),
    "emoji": ("ok ❤️ 👨\u200d👩\u200d👧 fine", "ok fine"),
}


@pytest.mark.parametrize(("text", "expected"), SCRIPTS.values(), ids=SCRIPTS)
def test_words_of_a_script(text, expected):
    assert lower(text) == unicodedata.normalize("NFC", expected).replace("ํา", "ำ")
    assert normalize(text).lower().split() == normalize(expected).lower().split()
    assert len(normalize(text).split()) == len(expected.split())


def test_capitals():
    assert normalize("Ọ̀nà Straße, ở đây") == "Ọ̀NÀ STRASSE Ở ĐÂY"


def test_verbatim():
    given_text = "\ufeff He said:\t“Soft\u00adware 50 % — प्राचीन…”\x00\u2028 ok▁x"
    assert verbatim(given_text) == "He said: “Software 50 % — प्राचीन…” ok x"
    assert verbatim("e\u0301") == "é"


APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})


def as_before(text: str) -> str:
    """The normaliser of all models so far, which knew nothing of marks."""
    text = unicodedata.normalize("NFKC", text).translate(APOSTROPHES).upper()
    text = unicodedata.normalize("NFKC", text)
    return " ".join(re.sub(r"[^\w']|_|(?<!\w)'|'(?!\w)", " ", text).split())


LATIN = "".join(map(chr, [*range(0x20, 0x5F), *range(0x60, 0x7F), *range(0xC0, 0x17F)])) + "’“”—…€½"


@given(st.text(LATIN))
@example("don’t 'stop' rock'n'roll o''clock 21st-century £5 A·B")
def test_texts_without_marks_are_as_before(text):
    assert normalize(text) == as_before(text)


EVERY = [
    character
    for character in map(chr, range(0x30000))
    if unicodedata.category(character) not in ("Cn", "Co", "Cs")
]


@pytest.mark.parametrize("name", OF_TRAINING)
def test_once_is_enough_for_every_character(name):
    change = training_normalizer(name)
    once = [change(f"a{c}b l{c}l {c}") for c in EVERY[::5]]
    assert [change(text) for text in once] == once


@given(st.text())
@example("a\u200c\u200cb\u200c 'c")
@example("‘\u0301")
def test_once_is_enough(text):
    for name in OF_TRAINING:
        once = training_normalizer(name)(text)
        assert training_normalizer(name)(once) == once
        assert once == " ".join(once.split())


@given(st.text(st.characters(categories=["L", "M", "N"]), min_size=1))
def test_letters_never_vanish(text):
    letters = [c for c in unicodedata.normalize("NFKC", text) if c.isalnum()]
    for name in OF_TRAINING:
        assert bool(training_normalizer(name)(text)) >= bool(letters)


def test_names():
    assert NAMES == ("plain", "lower", "verbatim", "whisper")
    for name in ("whisper", "Plain", ""):
        with pytest.raises(UserError, match="plain, lower, verbatim"):
            check_training(name)
    with pytest.raises(UserError, match="'basic'"):
        scoring_normalizer("basic")
    assert scoring_normalizer("lower")("It ⁇ IS.") == "it ⁇ is"
    assert scoring_normalizer("verbatim")("It ⁇  IS.") == "It ⁇ IS."


def test_other_vowel_signs_are_other_words():
    references, hypotheses = ([normalize(t)] for t in ("கட்டு படி", "கட்டி படு"))
    assert word_errors(references, hypotheses).rate == 1.0


@pytest.mark.parametrize(
    ("reference", "hypothesis", "errors", "length"),
    [
        ("கட்டு", "கட்டி", 1, 3),  # க ட் டு
        ("ọ̀nà", "ọnà", 1, 3),
        ("ọ̀nà", "ọ̀nà", 0, 3),
        ("ni\u0303o", "nio", 1, 3),
        ("น้ำใจ", "นำใจ", 1, 3),
        ("a b", "ab", 1, 3),
        ("한국", "한군", 1, 2),
    ],
)
def test_characters_are_grapheme_clusters(reference, hypothesis, errors, length):
    found = character_errors([reference], [hypothesis])
    assert (found.errors.tolist(), found.lengths.tolist()) == ([errors], [length])


@pytest.mark.parametrize("model_type", ["char", "unigram"])
@pytest.mark.parametrize("script", ["Hindi", "Tamil", "Thai", "Yoruba", "Persian", "Hebrew"])
def test_a_vocabulary_gives_the_words_back(script, model_type):
    text = normalize(SCRIPTS[script][0])
    tokenizer = Tokenizer.train([text] * 3, 60, model_type)
    assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_vocabulary_keeps_the_case_of_verbatim_texts():
    texts = ["Mr. Smith said: hello, NASA.", "no capitals here at all"] * 3
    tokenizer = Tokenizer.train(texts, 60, "char")
    assert tokenizer.lower_case  # most letters are small: others' texts in capitals become so
    cased = tokenizer.with_case()
    assert cased.decode(cased.encode("Mr. NASA, hello.")) == "Mr. NASA, hello."
    assert cased.unknown_characters("NASA QED") == {"Q", "E", "D"}
