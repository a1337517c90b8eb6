"""The words of Asterisk's prompts as they are spoken."""

import gzip
import re
from pathlib import Path

from asr_qat.text.normalize import normalize

_DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
_SPOKEN = {"*": " star ", "#": " pound "} | {str(i): f" {w} " for i, w in enumerate(_DIGITS)}
_SPELLED = re.compile(r"\b(IAX|IVR|MGCP|PBX|USB)\b")
_ANNOTATION = re.compile(r"\[[^]]*\]|\([^)]*\)|<[^>]*>")
_NUMBER = re.compile(r"\d[\d.]*\d")  # read out in a way that the list does not tell
_MISSPELLED = {
    "EXCLAIMATION": "EXCLAMATION",
    "INDENTIFIED": "IDENTIFIED",
    "REPRESENATIVES": "REPRESENTATIVES",
    "THRU": "THROUGH",
    "UMUTE": "UNMUTE",
    "WITHELD": "WITHHELD",
}


def read_texts(path: Path) -> dict[str, str]:
    """Normalised words of the prompts by name (`digits/1`: `ONE`), from `core-sounds-en.txt.gz`.

    Prompts without words (tones, silence) and those with a number of several digits, of
    which the list does not tell how it is read out, are left out.
    """
    texts = {}
    for line in gzip.decompress(path.read_bytes()).decode().splitlines():
        name, colon, written = line.partition(":")
        if colon and not line.startswith(";"):
            words = spoken(written)
            if words:
                texts[name.strip()] = words
    return texts


def spoken(written: str) -> str:
    """The normalised words of one line of the list; empty if they are not known."""
    words = _ANNOTATION.sub(" ", written)
    if _NUMBER.search(words):
        return ""
    words = _SPELLED.sub(lambda match: " ".join(match[0]), words)
    words = normalize("".join(_SPOKEN.get(character, character) for character in words))
    return " ".join(_MISSPELLED.get(word, word) for word in words.split())
