"""Which labels make which words."""

import dataclasses
from collections.abc import Sequence

SPACE = b" "


@dataclasses.dataclass(frozen=True)
class WordSpan:
    """A word, and the places of its first and last label."""

    text: str
    first: int
    last: int


def word_spans(parts: Sequence[bytes]) -> list[WordSpan]:
    """Group labels to words; a label that holds a space may be of two.

    Args:
        parts: what each label adds to the text, in UTF-8, see `Tokenizer.label_bytes`. The bytes
            of one letter may come from several labels.
    """
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
    return [WordSpan(text.decode(errors="replace"), first, last) for text, first, last in found]
