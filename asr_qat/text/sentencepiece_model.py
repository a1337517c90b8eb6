"""SentencePiece models of given pieces, serialized.

SentencePiece's own Python classes for its files need another version of protobuf than
TensorFlow 2.17, so the few fields are written here. Numbers and defaults are those of
https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto.
"""

import dataclasses
import enum
import struct
from collections.abc import Iterable


class PieceType(enum.IntEnum):
    """What a piece is."""

    NORMAL = 1
    UNKNOWN = 2  # stands for characters that no piece holds
    CONTROL = 3  # is never text
    USER_DEFINED = 4  # is always one piece
    BYTE = 6  # of a character that no piece holds


@dataclasses.dataclass(frozen=True)
class Piece:
    """A piece of the vocabulary.

    Attributes:
        text: with `▁` for a space.
        score: of two pieces that can be merged the higher one is.
        type: what it is.
    """

    text: str
    score: float
    type: PieceType = PieceType.NORMAL


@dataclasses.dataclass(frozen=True)
class Normalization:
    """What is done to a text before it is cut into pieces.

    Attributes:
        character_map: SentencePiece's compiled table of characters, empty for none.
        dummy_prefix: put a space before the first word.
        trim: drop spaces at the ends, and all but one of several.
    """

    character_map: bytes = b""
    dummy_prefix: bool = True
    trim: bool = False


_BPE = 2  # type of the model


def bpe_model(pieces: Iterable[Piece], normalization: Normalization) -> bytes:
    """A model that merges pairs, for `sentencepiece.SentencePieceProcessor(model_proto=...)`.

    Args:
        pieces: by id, one of them of the type `UNKNOWN`.
        normalization: of the text.
    """
    pieces = list(pieces)
    unknown = next(i for i, piece in enumerate(pieces) if piece.type is PieceType.UNKNOWN)
    trainer = [
        _number(3, _BPE),
        _number(4, len(pieces)),
        _number(35, any(piece.type is PieceType.BYTE for piece in pieces)),  # byte_fallback
        _number(40, unknown),
        *(_number(field, -1) for field in (41, 42, 43)),  # no marks of begin, end and padding
        _bytes(45, pieces[unknown].text.encode()),
    ]
    normalizer = [
        _bytes(1, b"imported"),
        _bytes(2, normalization.character_map),
        _number(3, normalization.dummy_prefix),
        _number(4, normalization.trim),
        _number(5, True),  # a space is ▁
    ]
    content = [_bytes(1, _piece(piece)) for piece in pieces]
    return b"".join([*content, _bytes(2, b"".join(trainer)), _bytes(3, b"".join(normalizer))])


def _piece(piece: Piece) -> bytes:
    score = _varint(2 << 3 | 5) + struct.pack("<f", piece.score)
    return _bytes(1, piece.text.encode()) + score + _number(3, piece.type)


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(int(value) & (1 << 64) - 1)


def _bytes(field: int, value: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])
