"""`tokenizer.json` as SentencePiece: the ids and texts of Hugging Face's own tokenizer.

`experiments/pretrained/tokenizer_reference.py --out tests/data/pretrained/tokenizer` made the file:
a vocabulary with a rule for characters, a symbol that is never cut, bytes, and a blank after.
"""

import copy
import json
from pathlib import Path

import pytest

from asr_qat.errors import UserError
from asr_qat.pretrained.hf_tokenizer import sentencepiece_tokenizer

SYMBOL = "<|laugh|>"
PATH = Path(__file__).parent / "data" / "pretrained" / "tokenizer.json"


@pytest.fixture(scope="module")
def reference():
    content = json.loads(PATH.read_text(encoding="utf-8"))
    return content, content.pop("texts")


def imported(content, blank=None):
    """With `<pad>`, the last token, as the blank, or another one."""
    count = 1 + max(token["id"] for token in content["added_tokens"])
    return sentencepiece_tokenizer(content, "file", count, count - 1 if blank is None else blank)


def test_ids_and_texts(reference):
    """Where transformers' tokenizer is not SentencePiece's, ours is SentencePiece's.

    transformers puts no space before a symbol that is never cut, and leaves bytes in the text.
    """
    content, texts = reference
    tokenizer = imported(content)
    assert tokenizer.vocab_size == max(content["model"]["vocab"].values()) + 1
    plain = [text for text in texts if SYMBOL not in text["given"]]
    whole = [text for text in plain if "<0x" not in text["text"]]
    assert 2 < len(whole) < len(plain) < len(texts)
    for text in texts:
        assert tokenizer._processor.encode(text["given"]) == text["sentencepiece"]
    for text in plain:
        assert text["ids"] == text["sentencepiece"]
    for text in whole:
        assert tokenizer.decode(text["ids"]) == text["text"].strip()
    (foreign,) = (text for text in texts if "\u4e2d" in text["given"])
    assert tokenizer.decode(foreign["ids"]) == "two spaces and \u4e2d\u6587 and cafe"


def test_the_blank_may_be_any_class(reference):
    """The pieces after it move up by one."""
    content, _ = reference
    pieces = imported(content).pieces()
    blank = pieces.index("▁the")
    assert imported(content, blank).pieces() == [*pieces[:blank], *pieces[blank + 1 :], "<pad>"]


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        ("model.type", "Unigram", "model: type: 'Unigram'"),
        ("model.dropout", 0.1, "model: dropout: 0.1"),
        ("model.end_of_word_suffix", "</w>", "end_of_word_suffix: '</w>'"),
        ("model.unk_token", "<none>", "unk_token: '<none>' is no class"),
        ("normalizer", {"type": "Lowercase"}, "normalizer: type: 'Lowercase'"),
        ("pre_tokenizer.type", "ByteLevel", "pre_tokenizer: type: 'ByteLevel'"),
        ("decoder.prepend_scheme", "never", "are not one Metaspace"),
        ("truncate", 3, "truncate: 3"),
    ],
)
def test_what_sentencepiece_has_not(reference, path, value, complaint):
    content = copy.deepcopy(reference[0])
    *above, last = path.split(".")
    part = content
    for key in above:
        part = part[key]
    part[last] = value
    with pytest.raises(UserError) as raised:
        imported(content)
    assert str(raised.value).startswith("file: ") and complaint in str(raised.value)


def test_merges_that_sentencepiece_would_not_make(reference):
    merges = reference[0]["model"]["merges"]
    for changed, complaint in (
        (merges[1:], "is missing"),
        ([merges[0], *merges[5:], merges[0]], "are not together"),
        ([["a"]], "is not a pair"),
    ):
        content = copy.deepcopy(reference[0])
        content["model"]["merges"] = changed
        with pytest.raises(UserError, match=complaint):
            imported(content)
