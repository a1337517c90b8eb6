"""What was said, and when: words with times and confidences, in utterances."""

import dataclasses
import math
from collections.abc import Iterable, Sequence

from asr_qat.decoding.timed_label import TimedLabel
from asr_qat.text.words import word_spans


@dataclasses.dataclass(frozen=True)
class TimedWord:
    """A word of a recording.

    Attributes:
        text: without spaces.
        start_s: seconds from the beginning of the recording to its first label's first frame.
        end_s: seconds to the end of its last label's last frame.
        confidence: the product of the probabilities of its labels, which is that of the word if
            these are independent; None of a live model.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float | None


@dataclasses.dataclass(frozen=True)
class Utterance:
    """Words that were recognised together: of a recording, or between two of its pauses.

    Attributes:
        words: at least one, in their order.
    """

    words: tuple[TimedWord, ...]

    @property
    def start_s(self) -> float:
        """When the first word begins."""
        return self.words[0].start_s

    @property
    def end_s(self) -> float:
        """When the last word ends."""
        return self.words[-1].end_s

    @property
    def text(self) -> str:
        """The words with spaces between."""
        return " ".join(word.text for word in self.words)


@dataclasses.dataclass(frozen=True)
class Transcription:
    """The words of a recording.

    Attributes:
        utterances: in their order.
        duration_s: seconds of audio.
    """

    utterances: tuple[Utterance, ...]
    duration_s: float

    @property
    def words(self) -> tuple[TimedWord, ...]:
        """Those of all utterances."""
        return tuple(word for utterance in self.utterances for word in utterance.words)

    @property
    def text(self) -> str:
        """All words with spaces between."""
        return " ".join(word.text for word in self.words)


@dataclasses.dataclass(frozen=True)
class FrameTimes:
    """When encoded frames are.

    Attributes:
        frame_s: seconds of an encoded frame.
        middle_s: seconds from the beginning of the audio to the middle of the first one.
        late_s: seconds that labels come after their sound.
    """

    frame_s: float
    middle_s: float
    late_s: float = 0.0

    def begin(self, frame: int) -> float:
        """Seconds to the beginning of a frame, of what it is about."""
        return (frame - 0.5) * self.frame_s + self.middle_s - self.late_s


def timed_words(
    labels: Sequence[TimedLabel],
    label_bytes: Sequence[bytes],
    times: FrameTimes,
    begin_s: float,
    end_s: float,
) -> tuple[TimedWord, ...]:
    """Group the labels of an utterance to words.

    Args:
        labels: with the frames of the utterance.
        label_bytes: of the tokenizer.
        times: of the frames.
        begin_s: seconds of the recording before the utterance.
        end_s: seconds of the recording to its end; no word ends later.
    """

    def within(seconds: float) -> float:
        return round(min(max(begin_s + seconds, begin_s), end_s), 3)

    return tuple(
        TimedWord(
            span.text,
            within(times.begin(labels[span.first].first)),
            within(times.begin(labels[span.last].last + 1)),
            _confidence(labels[span.first : span.last + 1]),
        )
        for span in word_spans([label_bytes[label.token] for label in labels])
    )


def _confidence(labels: Iterable[TimedLabel]) -> float | None:
    log_probs = [label.log_prob for label in labels if label.log_prob is not None]
    return round(math.exp(sum(log_probs)), 4) if log_probs else None
