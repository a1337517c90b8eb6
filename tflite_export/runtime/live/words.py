"""From labels with their frames to words with their times."""

import dataclasses
from collections.abc import Iterable, Sequence

from asr_qat.decoding.transducer_incremental import Emission
from asr_qat.text.byte_pieces import SPACE, parts_of

UNKNOWN = "<unk>"


@dataclasses.dataclass(frozen=True)
class Word:
    """A word, and when the search found it.

    A transducer may emit a label some time after its sound, never before it has heard anything
    of it: times are late rather than early, less so in the second pass.

    Attributes:
        text: without spaces.
        start_s: seconds from the beginning of the stream to the frame of its first label.
        end_s: seconds to the end of the frame of its last label.
    """

    text: str
    start_s: float
    end_s: float


def words_of(
    emissions: Iterable[Emission],
    pieces: Sequence[str],
    frame_ms: float,
    offset: int = 0,
    ended: bool = True,
) -> list[Word]:
    """Group labels to words.

    Args:
        emissions: labels of one utterance.
        pieces: text of each label, a tokenizer's `pieces()`.
        frame_ms: milliseconds in a frame.
        offset: frames of the stream before the utterance.
        ended: no more labels will come; else the bytes of a character wait for the last of them.
    """
    labels = list(emissions)
    words: list[Word] = []
    begins = True  # a word begins with the next letter
    for found in parts_of([pieces[label.token] for label in labels], ended):
        start_s = round((offset + labels[found.first].frame) * frame_ms / 1000, 3)
        end_s = round((offset + labels[found.last].frame + 1) * frame_ms / 1000, 3)
        text = f"{SPACE}⁇{SPACE}" if found.text == UNKNOWN else found.text
        for index, part in enumerate(text.split(SPACE)):
            begins = begins or index > 0
            if not part:
                continue
            if begins:
                words.append(Word(part, start_s, end_s))
            else:
                words[-1] = Word(words[-1].text + part, words[-1].start_s, end_s)
            begins = False
    return words
