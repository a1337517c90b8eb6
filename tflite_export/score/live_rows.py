"""What is measured of a live `.tflite` that streams recordings; see `tflite_export.score.rows`."""

import dataclasses

from asr_qat.provenance import Provenance
from tflite_export.score.rows import (
    Difference,
    DifferentText,
    FileFacts,
    ProductError,
    Rates,
    Times,
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class PassRates(Rates, Difference):
    """Error rates of one pass, and their difference to the same pass of another file."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamSpeed:
    """Time of front end, both encoders and both searches.

    Attributes:
        rtf: real-time factor, the last words included.
        chunk_compute_ms: of a chunk.
        finish_ms: of the last words of a recording, when it is over.
        threads: CPU threads.
    """

    rtf: float
    chunk_compute_ms: Times
    finish_ms: Times
    threads: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamedSummary(StreamSpeed):
    """Accuracy of both passes and speed of one run over recordings.

    Attributes:
        utterances: that were recognised.
        words: in their references.
        first: the first pass.
        second: the second pass.
        chunk_ms: milliseconds of a chunk.
        chunks: how many.
        late_chunks: of these, how many took longer than they last.
    """

    utterances: int
    words: int
    first: PassRates
    second: PassRates
    chunk_ms: int
    chunks: int
    late_chunks: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class PassAgreement:
    """One pass of streamed recordings beside the Keras model's of the whole recordings.

    Attributes:
        identical_hypotheses: share of the utterances with the same text.
        different: the others.
    """

    identical_hypotheses: float
    different: tuple[DifferentText, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamedComparison:
    """A live file beside its Keras model.

    Attributes:
        first: the first pass.
        second: the second pass.
        products: every quantized product.
    """

    first: PassAgreement
    second: PassAgreement
    products: tuple[ProductError, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamedEvaluation(FileFacts, StreamedSummary, Provenance):
    """What `tflite-export evaluate --streaming` finds.

    Attributes:
        name: of the file.
        ratio: how many times smaller than the baseline, None without one.
        look_ahead_ms: milliseconds that the first pass lags the audio.
        delay_ms: the same of the second pass.
        peak_rss_mb: peak memory of a process that loads it and streams the longest recording.
        normalizer: that references and hypotheses went through, see
            `asr_qat.text.normalizers`.
        against_keras: with `--compare`, else None.
        left_out: recordings that the figures are not of: they cannot be read, or could not when
            they were prepared.
    """

    name: str
    ratio: float | None
    look_ahead_ms: float
    delay_ms: float
    peak_rss_mb: float
    normalizer: str = "plain"
    against_keras: StreamedComparison | None = None
    left_out: int = 0
