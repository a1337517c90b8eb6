"""What `tflite-export streaming latency` measures: delays of words, and a long recording."""

import dataclasses

from experiments.live.live_results import OfCorpus
from tflite_export.score.rows import Times


@dataclasses.dataclass(frozen=True, kw_only=True)
class Delays:
    """Percentiles of delays in milliseconds; negative: before.

    Attributes:
        p5: 5% are at most this.
        p50: the median.
        p95: 95% are at most this.
    """

    p5: float
    p50: float
    p95: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class WordDelays:
    """From the end of a word to its appearance.

    Attributes:
        words: that were recognised.
        ms: None if there are none.
    """

    words: int
    ms: Delays | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class AllDelays:
    """Of each kind of appearance, see `experiments.live.latency.Appearances`.

    Attributes:
        first_pass: the word appears.
        second_pass: it has its final form.
        announced: it is announced as final.
    """

    first_pass: WordDelays
    second_pass: WordDelays
    announced: WordDelays


@dataclasses.dataclass(frozen=True, kw_only=True)
class Alignment:
    """How the ends of words were found.

    Attributes:
        last_word_behind_sound_ms: how far the end of the last word is after that of the sound;
            None without words.
        model: directory of the CTC model, None where the ends were given.
        frame_ms: milliseconds of its frames.
    """

    last_word_behind_sound_ms: Delays | None
    model: str | None = None
    frame_ms: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatencyOfWords(AllDelays):
    """Delays of all words of some recordings.

    Attributes:
        utterances: recordings.
        words: in their references.
        chunk_ms: milliseconds of a chunk.
        last_words: the delays of the last word of each recording, from the end of the sound, by
            energy, which no model has a part in.
        alignment: of the other words.
    """

    utterances: int
    words: int
    chunk_ms: int
    last_words: AllDelays
    alignment: Alignment


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamWords:
    """What one session found.

    Attributes:
        utterances: that it made of the audio.
        ended_by_length: of these, how many ended though there was no pause.
        words: in all of them.
    """

    utterances: int
    ended_by_length: int
    words: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class PieceWords:
    """An utterance whose words are others in the stream than alone."""

    stream: str
    piece: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class WithoutPauses(StreamWords):
    """Recordings that follow each other without a pause.

    Attributes:
        recordings: that fit in.
        audio_seconds: of all.
        different_words: edits to the words of each recording alone.
        different_at_joins: of these, at the first or the last word of a recording.
    """

    recordings: int
    audio_seconds: float
    different_words: int
    different_at_joins: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class LongRun(StreamWords):
    """Long speech in one session, and the same audio in pieces.

    Attributes:
        recordings: that fit in.
        recorded_seconds: those without the pauses.
        pause_s: of the room's noise after each recording.
        chunk_ms: milliseconds of a chunk.
        threads: CPU threads.
        rss_mb: resident memory of the process after each minute of audio, and in the end, MB
            (2^20).
        growth_mb: from the first minute to the end.
        most_growth_mb: from the first minute to the most.
        audio_seconds: of all.
        different_cut_in_pauses: edits to the words of what was cut in the pauses.
        different_words: edits to the words of what was cut at the session's endpoints.
        different: these utterances.
        chunk_compute_ms: of a chunk.
        rtf: real-time factor.
        without_pauses: the same recordings without pauses.
    """

    recordings: int
    recorded_seconds: float
    pause_s: float
    chunk_ms: int
    threads: int
    rss_mb: tuple[float, ...]
    growth_mb: float
    most_growth_mb: float
    audio_seconds: float
    different_cut_in_pauses: int
    different_words: int
    different: tuple[PieceWords, ...]
    chunk_compute_ms: Times
    rtf: float
    without_pauses: WithoutPauses


@dataclasses.dataclass(frozen=True, kw_only=True)
class LatencyResults(OfCorpus):
    """What `tflite-export streaming latency` writes.

    Attributes:
        file: name of the file.
        words: delays of words.
        long: a long recording.
    """

    file: str
    words: LatencyOfWords
    long: LongRun
