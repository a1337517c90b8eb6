"""From labels with their frames to words with their times."""

import dataclasses
from collections.abc import Iterable, Sequence

from asr_qat.decoding.transducer_incremental import Emission
from asr_qat.text.words import word_spans


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
    label_bytes: Sequence[bytes],
    frame_ms: float,
    offset: int = 0,
    ended: bool = True,
) -> list[Word]:
    """Group labels to words.

    Args:
        emissions: labels of one utterance.
        label_bytes: what each label adds to the text, see `Tokenizer.label_bytes`.
        frame_ms: milliseconds in a frame.
        offset: frames of the stream before the utterance.
        ended: no more labels will come; else the bytes of a letter wait for the last of them.
    """
    labels = list(emissions)

    def seconds(frame: int) -> float:
        return round((offset + frame) * frame_ms / 1000, 3)

    return [
        Word(span.text, seconds(labels[span.first].frame), seconds(labels[span.last].frame + 1))
        for span in word_spans([label_bytes[label.token] for label in labels], ended)
    ]
