"""What `tflite-export streaming` measures; see `tflite_export.score.live_rows` for the rest."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.live.rough_clients import Deeds
from experiments.scale.scale_rows import InitialFile
from tflite_export.score.live_rows import PassRates, StreamSpeed
from tflite_export.score.rows import FileFacts, Interval, Times


@dataclasses.dataclass(frozen=True, kw_only=True)
class CorpusName:
    """What recordings a result is about.

    Attributes:
        name: of the corpus.
        description: in a sentence.
        licence: of the recordings.
    """

    name: str
    description: str
    licence: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfCorpus(Provenance):
    """Results of a corpus.

    Attributes:
        corpus: None of a manifest, which does not tell.
    """

    corpus: CorpusName | None = None


# Accuracy.


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitSize:
    """What a split has.

    Attributes:
        utterances: recordings.
        words: in their references.
    """

    utterances: int
    words: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class PassRow(FileFacts):
    """One pass of a live file.

    Attributes:
        name: of the row.
        file: name of the file.
        search: `first` or `second` pass.
        ratio: how many times smaller than the float file.
        rates: error rates of each split and of `all` together; differences are to the same pass
            of the float file.
    """

    name: str
    file: str
    search: str
    ratio: float
    rates: dict[str, PassRates]


@dataclasses.dataclass(frozen=True, kw_only=True)
class OfflineRow(FileFacts):
    """A model of whole utterances beside the live files.

    Attributes:
        name: of the row.
        file: name of the file.
        rates: as in `PassRow`, without differences.
        live_differences: interval of the difference of the float live file to this one, by pass
            and split.
    """

    name: str
    file: str
    rates: dict[str, PassRates]
    live_differences: dict[str, dict[str, Interval]]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AccuracyFigures:
    """Words of both passes of some files.

    Attributes:
        chunk_ms: milliseconds of a chunk.
        splits: that were scored, by name.
        rows: one for each file and pass.
        beside: the offline model.
        speed: of each file, by name.
    """

    chunk_ms: int
    splits: dict[str, SplitSize]
    rows: tuple[PassRow, ...]
    beside: OfflineRow
    speed: dict[str, StreamSpeed]


@dataclasses.dataclass(frozen=True, kw_only=True)
class AccuracyResults(AccuracyFigures, OfCorpus):
    """What `tflite-export streaming accuracy` writes."""


# Size and speed of a preset.


@dataclasses.dataclass(frozen=True, kw_only=True)
class ChunkTimes:
    """Time of chunks of one length, front end, both encoders and both searches in it.

    Attributes:
        rtf: real-time factor, the last words included.
        compute_ms: of a chunk.
        late: chunks that took longer than they last.
        count: of all chunks.
        endpoint_ms: of chunks in which an utterance ended, which makes the second pass catch
            up; None without any.
        endpoints: how many these are.
        finish_ms: of the last words.
    """

    rtf: float
    compute_ms: Times
    late: int
    count: int
    endpoint_ms: Times | None
    endpoints: int
    finish_ms: Times


@dataclasses.dataclass(frozen=True, kw_only=True)
class LiveInitialFile(InitialFile):
    """A live file of initial weights.

    Attributes:
        chunks: by milliseconds of a chunk.
    """

    chunks: dict[str, ChunkTimes]


@dataclasses.dataclass(frozen=True, kw_only=True)
class LiveScaleResults(Provenance):
    """What `tflite-export streaming scale` writes.

    Attributes:
        preset: by name.
        parameters: of the model.
        vocabulary: word pieces.
        labels_per_second: that the paced search finds while there is speech.
        labels_of: what they were measured on, in words; None if they were given.
        speech_s: seconds of speech before each pause.
        pause_s: seconds of the pause.
        audio_seconds: of all timed runs of a file together.
        threads: CPU threads.
        look_ahead_ms: milliseconds that the first pass lags the audio.
        delay_ms: the same of the second pass.
        rows: one for each file.
    """

    preset: str
    parameters: int
    vocabulary: int
    labels_per_second: float
    labels_of: str | None = None
    speech_s: float
    pause_s: float
    audio_seconds: float
    threads: int
    look_ahead_ms: float
    delay_ms: float
    rows: tuple[LiveInitialFile, ...]


# Several streams at once.


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerFigures:
    """Several streams through one server.

    Attributes:
        streams: at the same time, not counting clients that do not behave.
        audio_seconds: of each.
        chunk_ms: milliseconds of a message.
        speed: times that of speech.
        threads: CPU threads of the server.
        complete_streams: that the server ended in good order.
        identical_streams: whose every message with words is that of a session of its own.
        words: in all of them.
        late_chunks: of which the server said that they took longer than they last.
        late_responses: that took longer than a chunk lasts.
        responses: answers with words.
        response_ms: from when a chunk was due to an answer.
        stolen_s: see `experiments.live.many_streams.stolen_seconds`, meanwhile.
        rough: what each client that does not behave did, by name.
    """

    streams: int
    audio_seconds: float
    chunk_ms: int
    speed: float
    threads: int
    complete_streams: int
    identical_streams: int
    words: int
    late_chunks: int
    late_responses: int
    responses: int
    response_ms: Times
    stolen_s: float
    rough: dict[str, Deeds]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ServerResults(ServerFigures, OfCorpus):
    """What `tflite-export streaming server` writes.

    Attributes:
        file: name of the file.
    """

    file: str
