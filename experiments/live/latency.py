"""From the end of a spoken word to its appearance on the screen."""

import dataclasses
import time
from collections.abc import Callable, Sequence

import jiwer
import numpy as np

from asr_qat.corpora.utterance import Utterance
from asr_qat.decoding.transducer_incremental import Emission
from asr_qat.progress import progress
from experiments.live.alignment import speech_end
from experiments.live.latency_rows import (
    Alignment,
    AllDelays,
    Delays,
    LatencyOfWords,
    WordDelays,
)
from experiments.live.recordings import room_noise
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.events import Transcript
from tflite_export.runtime.live.live_model import LiveModel
from tflite_export.runtime.live.session import Session
from tflite_export.runtime.live.words import words_of
from tflite_export.score.rows import combine

TAIL_S = 2.5  # of the room's noise after a recording: time for the endpoint

Word = tuple[str, float]  # and seconds


@dataclasses.dataclass
class Appearances:
    """Words of one recording and when they were there: seconds of audio plus computing time.

    Attributes:
        first: of the first pass, with their last labels.
        second: the same of the second pass, which changes nothing that it has once found.
        announced: of the second pass, when the session said that they will not change any more.
    """

    first: list[Word] = dataclasses.field(default_factory=list)
    second: list[Word] = dataclasses.field(default_factory=list)
    announced: list[Word] = dataclasses.field(default_factory=list)


def appearances(
    model: LiveModel, audio: np.ndarray, chunk: int, endpoint: EndpointConfig | None = None
) -> Appearances:
    """Stream audio in chunks of so many samples.

    A chunk is there when its last sample is, and waits for the work on those before it.
    """
    session = Session(model, endpoint)
    rate = model.front_end.sample_rate
    found, pending, now = Appearances(), _Pending(), 0.0
    for at in range(0, len(audio), chunk):
        heard = audio[at : at + chunk]
        utterance, offset = session.utterance, session.offset
        started = time.perf_counter()
        events = session.accept(heard)
        now = max(now, (at + len(heard)) / rate) + time.perf_counter() - started
        pending.see(utterance.first.emissions, utterance.second.emissions, events, now)
        if session.offset != offset:
            pending.add_to(found, model)
            pending, following = _Pending(), session.utterance
            pending.see(following.first.emissions, following.second.emissions, [], now)
    utterance = session.utterance
    started = time.perf_counter()
    events = session.finish()
    now = max(now, len(audio) / rate) + time.perf_counter() - started
    pending.see(utterance.first.emissions, utterance.second.emissions, events, now)
    pending.add_to(found, model)
    return found


class _Pending:
    """Labels of the utterance at hand, and when each was there."""

    def __init__(self) -> None:
        self._first: list[tuple[Emission, float]] = []
        self._second: list[tuple[Emission, float]] = []
        self._stable: list[float] = []  # by word

    def see(self, first, second, events, now: float) -> None:
        self._first += [(emission, now) for emission in first[len(self._first) :]]
        self._second += [(emission, now) for emission in second[len(self._second) :]]
        for event in events:
            if isinstance(event, Transcript):
                self._stable += [now] * (event.stable - len(self._stable))

    def add_to(self, found: Appearances, model: LiveModel) -> None:
        """Add the words of the utterance, which is over."""
        second = _words(model, self._second)
        found.first += _words(model, self._first)
        found.second += second
        found.announced += [
            (text, now) for (text, _), now in zip(second, self._stable, strict=True)
        ]


def _words(model: LiveModel, labels: list[tuple[Emission, float]]) -> list[Word]:
    """Words with the time of their last label."""
    parts, frame_ms = model.tokenizer.label_bytes(), model.encoder.frame_ms
    words: list[Word] = []
    for count in range(1, len(labels) + 1):
        so_far = [emission for emission, _ in labels[:count]]
        shown = words_of(so_far, parts, frame_ms, ended=count == len(labels))
        now = labels[count - 1][1]
        before = words[:-1] if len(words) == len(shown) else words
        if [text for text, _ in words] != [word.text for word in shown]:
            words = [*before, *((word.text, now) for word in shown[len(before) :])]
    return words


def delays(reference: Sequence[Word], found: Sequence[Word]) -> dict[int, float]:
    """Seconds from the end of each word that was recognised to its time, by place in `reference`.

    Args:
        reference: spoken words and their ends.
        found: recognised words and their times.
    """
    if not found:
        return {}
    spoken, recognised = (" ".join(text for text, _ in words) for words in (reference, found))
    (chunks,) = jiwer.process_words(spoken, recognised).alignments
    return {
        place: found[chunk.hyp_start_idx + i][1] - reference[place][1]
        for chunk in chunks
        if chunk.type == "equal"
        for i, place in enumerate(range(chunk.ref_start_idx, chunk.ref_end_idx))
    }


def latency(
    model: LiveModel,
    items: list[Utterance],
    word_ends: Callable[[np.ndarray, str], list[float]],
    chunk_ms: int = 120,
    endpoint: EndpointConfig | None = None,
    quiet: bool = False,
) -> LatencyOfWords:
    """Delays of all words of some recordings that were recognised.

    Behind each recording the noise of its room goes on, so that nothing ends early because a
    file does.

    Args:
        model: live.
        items: recordings with transcripts.
        word_ends: seconds at which the words of a recording end.
        chunk_ms: milliseconds of a chunk.
        endpoint: when an utterance ends.
        quiet: no progress.
    """
    rate = model.front_end.sample_rate
    chunk = rate * chunk_ms // 1000
    names = {"first_pass": "first", "second_pass": "second", "announced": "announced"}
    seconds: dict[str, list[float]] = {name: [] for name in names}
    last: dict[str, list[float]] = {name: [] for name in names}
    behind, words = [], 0
    for item in progress(items, "latency", len(items), quiet=quiet):
        audio = item.read(rate)
        spoken = item.text.split()
        if not spoken:
            continue
        ends = word_ends(audio, item.text)
        behind.append(ends[-1] - speech_end(audio, model.front_end))
        words += len(spoken)
        reference = list(zip(spoken, ends, strict=True))
        longer = np.concatenate([audio, room_noise(audio, TAIL_S, rate)])
        found = appearances(model, longer, chunk, endpoint)
        for name, field in names.items():
            own = delays(reference, getattr(found, field))
            seconds[name] += own.values()
            if len(spoken) - 1 in own:
                last[name].append(own[len(spoken) - 1] + behind[-1])
    return combine(
        LatencyOfWords,
        _summary(seconds),
        utterances=len(items),
        words=words,
        chunk_ms=chunk_ms,
        last_words=_summary(last),
        alignment=Alignment(last_word_behind_sound_ms=_percentiles(behind)),
    )


def _summary(seconds: dict[str, list[float]]) -> AllDelays:
    found = {
        name: WordDelays(words=len(own), ms=_percentiles(own)) for name, own in seconds.items()
    }
    return AllDelays(**found)


def _percentiles(seconds: list[float]) -> Delays | None:
    if not seconds:
        return None
    p5, p50, p95 = (1000 * np.percentile(seconds, [5, 50, 95])).tolist()
    return Delays(p5=p5, p50=p50, p95=p95)
