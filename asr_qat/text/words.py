"""Which labels make which words."""

import codecs
import dataclasses
from collections.abc import Sequence

SPACE = b" "
REPLACEMENT = "\ufffd"  # for a byte that belongs to no letter, as SentencePiece writes it
LONGEST_LETTER = 4  # bytes of UTF-8


@dataclasses.dataclass(frozen=True)
class WordSpan:
    """A word, and the places of its first and last label."""

    text: str
    first: int
    last: int


def word_spans(parts: Sequence[bytes], ended: bool = True) -> list[WordSpan]:
    """Group labels to words; a label that holds a space may be of two.

    Args:
        parts: what each label adds to the text, in UTF-8, see `Tokenizer.label_bytes`. The bytes
            of one letter may come from several labels.
        ended: no more labels will come; else those at the end that are no whole letter yet are
            left out.
    """
    parts = parts if ended else _whole_letters(parts)
    found: list[tuple[bytearray, int, int]] = []
    begins = True  # a word begins with the next letter
    for index, part in enumerate(parts):
        for number, letters in enumerate(part.split(SPACE)):
            begins = begins or number > 0
            if not letters:
                continue
            if begins:
                found.append((bytearray(letters), index, index))
            else:
                text, first, _ = found[-1]
                found[-1] = (text + letters, first, index)
            begins = False
    return [WordSpan(text.decode(errors=_EACH), first, last) for text, first, last in found]


def _whole_letters(parts: Sequence[bytes]) -> Sequence[bytes]:
    """The labels before those that may be the beginning of a letter, each of them a byte."""
    for count in range(1, LONGEST_LETTER):
        try:
            b"".join(parts[-count:]).decode()
        except UnicodeDecodeError as error:
            if error.start == 0 and error.reason == "unexpected end of data":
                return parts[:-count]
    return parts


def _replace_each(error: UnicodeError) -> tuple[str, int]:
    """A mark for each byte of a letter that is cut, where Python's own handler writes one."""
    assert isinstance(error, UnicodeDecodeError)
    return REPLACEMENT, error.start + 1


_EACH = "asr_qat.replace_each"
codecs.register_error(_EACH, _replace_each)
