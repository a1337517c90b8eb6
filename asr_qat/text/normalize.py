"""Transcripts in one spelling, in any script: words separated by single spaces.

A word begins with a letter or a digit. Marks (vowel signs, tones, viramas: the categories Mn, Mc
and Me) and the joiners of Indic and Arabic scripts are part of it; what nobody sees or speaks, such
as soft hyphens and marks of direction, vanishes; all else becomes a space.
"""

import unicodedata

import regex

_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})
JOINER, NON_JOINER = "\u200d", "\u200c"

# Format characters and variation selectors that are never shown. Not the zero width space, which
# separates words, nor what decides the form of a letter: joiners and those of Mongolian.
_INVISIBLE = regex.compile(
    r"[[\p{Cf}\p{Mn}]&&\p{Default_Ignorable_Code_Point}"
    r"--[\u200b\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}\u180b-\u180f]]",
    regex.VERSION1,
)
_NO_TEXT = regex.compile(r"[\p{Cc}▁]")
# NFKC takes these vowels apart, which nobody writes as two characters.
_SARA_AM = {"\u0e4d\u0e32": "\u0e33", "\u0ecd\u0eb2": "\u0eb3"}
# The mark of an abbreviation, typed as a quotation mark.
_GERSHAYIM = regex.compile(r"(?<=\p{Hebrew}\p{M}*)[\"”“](?=\p{Hebrew})")

_LETTER = r"[\p{L}\p{N}]"
_PART = rf"{_LETTER}[\p{{L}}\p{{N}}\p{{M}}{JOINER}]*"
# Within a word: an apostrophe, geresh and gershayim, a dot between two l in Catalan, a non-joiner.
_WITHIN = rf"(?:['׳״]|(?<=[lL])·(?=[lL])|{NON_JOINER}+)"
_WORD = regex.compile(rf"{_PART}(?:{_WITHIN}{_PART})*")


def normalize(text: str) -> str:
    """Upper-case `text` and drop its punctuation, as LibriSpeech's transcripts have it.

    Unicode compatibility forms are composed (NFKC), letters are upper-cased, every character that
    belongs to no word becomes a space except an apostrophe inside a word, and runs of spaces
    collapse. Digits stay digits: nothing is spelled out.

    >>> normalize("Don't  stop—‘now’, please!")
    "DON'T STOP NOW PLEASE"
    """
    return _words(_composed(text).upper())


def lower(text: str) -> str:
    """The same in small letters.

    They lose less than capitals do in many languages: `ß`, the dotless `ı`, the accents of Greek.

    >>> lower("Die Straße, bitte!")
    'die straße bitte'
    """
    return _words(_composed(text).lower())


def verbatim(text: str) -> str:
    r"""`text` with its capitals and punctuation, composed (NFC); runs of spaces collapse.

    What is no text goes: invisible and control characters, and the mark of a space in word pieces.

    >>> verbatim(" Well,  Mr.\u00ad Smith? ")
    'Well, Mr. Smith?'
    """
    text = unicodedata.normalize("NFC", _INVISIBLE.sub("", text))
    return " ".join(_NO_TEXT.sub(" ", text).split())


def _composed(text: str) -> str:
    text = unicodedata.normalize("NFKC", text).translate(_APOSTROPHES)
    return _GERSHAYIM.sub("״", _INVISIBLE.sub("", text))


def _words(text: str) -> str:
    text = unicodedata.normalize("NFKC", text)  # a change of case can decompose
    for apart, vowel in _SARA_AM.items():
        text = text.replace(apart, vowel)
    return " ".join(_WORD.findall(text))
