"""Transcripts in one spelling: upper-case words separated by single spaces."""

import re
import unicodedata

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})
_OUTSIDE_WORDS = re.compile(r"[^\w']|_|(?<!\w)'|'(?!\w)")


def normalize(text: str) -> str:
    """Upper-case `text` and drop its punctuation, as LibriSpeech's transcripts have it.

    Unicode compatibility forms are composed (NFKC), letters are upper-cased, every
    character that is no letter or digit becomes a space except an apostrophe inside
    a word, and runs of spaces collapse. Digits stay digits: nothing is spelled out.

    >>> normalize("Don't  stop—‘now’, please!")
    "DON'T STOP NOW PLEASE"
    """
    text = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES).upper()
    text = unicodedata.normalize("NFKC", text)  # upper-casing can decompose
    return " ".join(_OUTSIDE_WORDS.sub(" ", text).split())
