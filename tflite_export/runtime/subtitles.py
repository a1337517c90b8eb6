"""Words become subtitles that people can read: two lines at most, cut where the speaker pauses."""

import dataclasses
import itertools
from collections.abc import Iterator, Sequence

from tflite_export.runtime.transcription import TimedWord, Transcription

# As in the guides of broadcasters and streaming services.
LINE_CHARACTERS = 42
LONGEST_S = 7.0
SHORTEST_S = 1.0  # a cue stays so long, if none follows before
LEAST_S = 0.001  # clocks of the formats have no shorter time, and a cue has to last
PAUSE_S = 0.7  # between words, that always ends a cue


@dataclasses.dataclass(frozen=True)
class Cue:
    """What is shown at once.

    Attributes:
        start_s: seconds from the beginning of the recording.
        end_s: seconds to its end.
        lines: of words, one or two.
    """

    start_s: float
    end_s: float
    lines: tuple[tuple[TimedWord, ...], ...]

    @property
    def text(self) -> str:
        """The lines."""
        return "\n".join(map(_text, self.lines))


def cues(found: Transcription) -> list[Cue]:
    """The subtitles of a recording; each word is in one of them, and no two are there at once."""
    groups = [
        group
        for utterance in found.utterances
        for passage in _passages(utterance.words)
        for group in _cut(passage)
    ]
    return _shown(groups, found.duration_s)


def word_cues(found: Transcription) -> list[Cue]:
    """A subtitle for each word; one for those that begin at the same time."""
    return _shown([(word,) for word in found.words], found.duration_s)


def _shown(groups: Sequence[tuple[TimedWord, ...]], duration_s: float) -> list[Cue]:
    groups = _one_after_the_other(groups)
    starts = [group[0].start_s for group in groups]
    made = []
    for group, start, following in itertools.zip_longest(groups, starts, starts[1:]):
        end = max(group[-1].end_s, min(start + SHORTEST_S, duration_s), start + LEAST_S)
        made.append(Cue(start, end if following is None else min(end, following), _lines(group)))
    return made


def _one_after_the_other(groups: Sequence[tuple[TimedWord, ...]]) -> list[tuple[TimedWord, ...]]:
    """A group that does not begin after the one before would leave it no time: it joins that."""
    apart: list[tuple[TimedWord, ...]] = []
    for group in groups:
        if apart and group[0].start_s < apart[-1][0].start_s + LEAST_S / 2:
            apart[-1] += group
        else:
            apart.append(group)
    return apart


def _passages(words: Sequence[TimedWord]) -> Iterator[tuple[TimedWord, ...]]:
    """Words without a long pause in between."""
    begin = 0
    for at in range(1, len(words) + 1):
        if at == len(words) or words[at].start_s - words[at - 1].end_s >= PAUSE_S:
            yield tuple(words[begin:at])
            begin = at


def _cut(words: tuple[TimedWord, ...]) -> list[tuple[TimedWord, ...]]:
    """Halve until all fit: at a pause if there is one, else in the middle."""
    if len(words) == 1 or _fits(words):
        return [words]
    sizes = list(itertools.accumulate(len(word.text) + 1 for word in words))

    def worth(at: int) -> float:
        pause = words[at].start_s - words[at - 1].end_s
        return pause / PAUSE_S - abs(2 * sizes[at - 1] / sizes[-1] - 1)

    at = max(range(1, len(words)), key=worth)
    return [*_cut(words[:at]), *_cut(words[at:])]


def _fits(words: tuple[TimedWord, ...]) -> bool:
    short = words[-1].end_s - words[0].start_s <= LONGEST_S
    return short and all(len(_text(line)) <= LINE_CHARACTERS for line in _lines(words))


def _lines(words: tuple[TimedWord, ...]) -> tuple[tuple[TimedWord, ...], ...]:
    """One line, or two of about the same length."""
    if len(words) == 1 or len(_text(words)) <= LINE_CHARACTERS:
        return (words,)
    at = min(
        range(1, len(words)), key=lambda at: max(len(_text(words[:at])), len(_text(words[at:])))
    )
    return words[:at], words[at:]


def _text(words: Sequence[TimedWord]) -> str:
    return " ".join(word.text for word in words)
