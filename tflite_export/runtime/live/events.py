"""What a live session reports, and its form in JSON."""

import dataclasses
from typing import Any, Literal

from tflite_export.runtime.live.words import Word


@dataclasses.dataclass(frozen=True)
class Transcript:
    """The words of one utterance as known now; it replaces all earlier ones of that utterance.

    While it lasts its words are those of the second pass and, after them, those of the first that
    the second may still find: a word of the first goes if the second is 200 ms beyond it without.

    Attributes:
        kind: `partial`: the first pass found more, or one of its words went; `corrected`: the
            second pass found more; `final`: the utterance is over, and all its words are those of
            the second pass; it has none where the second pass took back all words of the first.
        utterance: its number, from 0.
        words: all of them.
        stable: words, from the first one on, that will not change any more.
        heard_s: seconds of the stream that were heard for this.
    """

    kind: Literal["partial", "corrected", "final"]
    utterance: int
    words: tuple[Word, ...]
    stable: int
    heard_s: float

    @property
    def text(self) -> str:
        """The words with spaces between."""
        return " ".join(word.text for word in self.words)


@dataclasses.dataclass(frozen=True)
class Notice:
    """Something about the audio or the machine that a listener should know.

    Attributes:
        kind: `silence`, `clipping`, `invalid`, `late` or, of a microphone of this machine,
            `overflow`.
        heard_s: seconds of the stream that were heard until then.
        value: `silence`: seconds of it so far; `clipping`: share of the samples of a second that
            are at full scale; `invalid`: samples since the last such notice that are no number
            and were taken as silence; `late`: chunks since the last such notice that took longer
            from their arrival to their words than they last (at least a frame); the last words of
            a stream are a chunk, as long as the audio that the second pass had not recognised
            before; `overflow`: 1, audio was lost.
        text: the same in words.
    """

    kind: Literal["silence", "clipping", "invalid", "late", "overflow"]
    heard_s: float
    value: float
    text: str


Event = Transcript | Notice


def event_message(event: Event) -> dict[str, Any]:
    """An event as an object of JSON: its `type` is `notice` or the kind of transcript."""
    if isinstance(event, Notice):
        return {"type": "notice", **vars(event)}
    content = {**vars(event), "words": [vars(word) for word in event.words]}
    return {"type": content.pop("kind"), "text": event.text, **content}
