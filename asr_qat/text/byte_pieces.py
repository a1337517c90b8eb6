"""What pieces add to a text where some of them are the bytes of a character.

A vocabulary with byte fallback spells rare characters in pieces `<0xE2>`, `<0x82>`, `<0xAC>`. They
arrive one by one in a stream, and less than all of them are no text.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

SPACE = "▁"  # of SentencePiece
REPLACEMENT = "\ufffd"  # for a byte that belongs to no character, as SentencePiece writes it
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_LONGEST = 4  # bytes of a character


class Part(NamedTuple):
    """Text of one piece, or of several that are the bytes of one character.

    Attributes:
        first: the place of its first piece.
        last: that of its last one.
        text: with `▁` for spaces.
    """

    first: int
    last: int
    text: str


def parts_of(pieces: Sequence[str], ended: bool = True) -> Iterator[Part]:
    """The parts of a text.

    Args:
        pieces: in their order.
        ended: no more will come: what could be the beginning of a character is an error then, and
            `REPLACEMENT`; else it is left out.
    """
    at = 0
    while at < len(pieces):
        run = _bytes_from(pieces, at)
        if not run:
            yield Part(at, at, pieces[at])
            at += 1
            continue
        text, size = _first_character(run)
        if not size:
            if not ended and at + len(run) == len(pieces):
                return
            text, size = REPLACEMENT, 1
        yield Part(at, at + size - 1, SPACE if text.isspace() else text)
        at += size


def _bytes_from(pieces: Sequence[str], at: int) -> bytes:
    """The bytes that begin at a place, at most those of one character."""
    found = bytearray()
    for piece in pieces[at : at + _LONGEST]:
        match = _BYTE.fullmatch(piece)
        if match is None:
            break
        found.append(int(match[1], 16))
    return bytes(found)


def _first_character(run: bytes) -> tuple[str, int]:
    """The character that bytes begin with and their number; none and 0 if more have to come."""
    for size in range(1, len(run) + 1):
        try:
            return run[:size].decode(), size
        except UnicodeDecodeError as error:
            if error.reason != "unexpected end of data":
                return REPLACEMENT, 1
    return "", 0
