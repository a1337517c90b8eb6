"""What is measured of a `.tflite`: the figures of a row of results, each defined once.

A row is a class of several of these, and its fields lie flat in it, as in JSON
(`dataclasses.asdict`, read again by `asr_qat.config.from_dict`). Rates are shares, 0.05 for 5%;
intervals are those of 95% from `tflite_export.score.statistics`; a MB of memory is 2^20 bytes.
"""

import dataclasses
from typing import Any, TypeVar

import numpy as np

from asr_qat.provenance import Provenance

Row = TypeVar("Row")
Interval = tuple[float, float]  # lower and upper bound


def combine(kind: type[Row], *parts: Any, **more: Any) -> Row:
    """A row of `kind` with the fields of `parts`, rows that it is made of, and some more."""
    fields = {f.name: getattr(part, f.name) for part in parts for f in dataclasses.fields(part)}
    return kind(**fields, **more)


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileFacts:
    """What a file says of itself.

    Attributes:
        precision: name of the weights' and activations' precision.
        widths: the same in words, with the layers that have another one.
        method: `float`, `ptq`, `fake-qat` or `native-qat`.
        bytes: of the file.
        full_integer: bits of all activations if every tensor is an integer, else None.
    """

    precision: str
    widths: str
    method: str
    bytes: int
    full_integer: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Percentiles:
    """Of times in milliseconds.

    Attributes:
        p50: the median.
        p95: 95% are at most this.
        p99: 99% are at most this.
    """

    p50: float
    p95: float
    p99: float

    @classmethod
    def of(cls, seconds: np.ndarray) -> "Percentiles":
        """Those of times in seconds."""
        p50, p95, p99 = (1000 * np.percentile(seconds, [50, 95, 99])).tolist()
        return cls(p50=p50, p95=p95, p99=p99)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Times(Percentiles):
    """Percentiles with the longest time.

    Attributes:
        max: the longest, ms.
    """

    max: float

    @classmethod
    def of(cls, seconds: np.ndarray) -> "Times":
        """Those of times in seconds."""
        return combine(cls, Percentiles.of(seconds), max=1000 * float(np.max(seconds)))


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rates:
    """Error rates of recognised texts.

    Attributes:
        wer: word error rate.
        wer_ci: its interval, of other utterances.
        cer: character error rate by grapheme clusters, spaces included.
    """

    wer: float
    wer_ci: Interval
    cer: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Difference:
    """Of the texts and their word error rate to another file's on the same recordings.

    Attributes:
        wer_diff: own minus other, None if there is no other.
        wer_diff_ci: its paired interval; None too for a file beside itself.
        words_changed: words that differ from the other's hypotheses, as a share of its words: also
            those that are wrong in both, or as often right as before. None if there is no other.
    """

    wer_diff: float | None = None
    wer_diff_ci: Interval | None = None
    words_changed: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Accuracy(Rates):
    """Error rates and what they were measured on.

    Attributes:
        utterances: that were recognised.
        words: in their references.
    """

    utterances: int
    words: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Speed:
    """Of front end, model and search together.

    Attributes:
        rtf: real-time factor, processing time over the duration of the audio.
        latency_ms: of an utterance, from its end to its text.
        threads: CPU threads.
    """

    rtf: float
    latency_ms: Percentiles
    threads: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class Summary(Accuracy, Speed):
    """Accuracy and speed of one run over recordings."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScoredFile(FileFacts, Summary, Difference):
    """A file, scored.

    Attributes:
        name: of the file, or of the row.
        peak_rss_mb: peak memory of a process that loads it and recognises the longest recording.
        ratio: how many times smaller than the float file, None if there is none.
    """

    name: str
    peak_rss_mb: float
    ratio: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Agreement:
    """How far a file's outputs are from those of its Keras model on the same recordings.

    Attributes:
        identical_hypotheses: share of the utterances with the same text.
        max_logit_diff: largest difference of a logit.
        median_logit_diff: median difference.
        rounding_floor: median difference of the Keras model's logits to its own when all
            features change by one part in ten million; None if it was not measured.
    """

    identical_hypotheses: float
    max_logit_diff: float
    median_logit_diff: float
    rounding_floor: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ComparedFile(ScoredFile, Agreement):
    """A file, scored and compared with its Keras model.

    Attributes:
        baseline: name of the row that the difference is to; None for that of the float model
            that all began with.
    """

    baseline: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class LogitPair:
    """One class's logit in the Keras model and in the file."""

    keras: float
    tflite: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class DifferentText:
    """An utterance with another hypothesis in the file than in the Keras model.

    Attributes:
        id: of the utterance.
        reference: what was said.
        keras: the Keras model's text.
        tflite: the file's.
    """

    id: str
    reference: str
    keras: str
    tflite: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class Parting(DifferentText):
    """The same, with the place where the two part.

    Attributes:
        frame: the first step (with CTC: frame) whose best classes differ.
        logits: there, of both best classes, by the class's number.
    """

    frame: int
    logits: dict[str, LogitPair]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Comparison(Agreement):
    """Agreement with the Keras model, and where it ends.

    Attributes:
        different: the utterances with another hypothesis.
    """

    different: tuple[Parting, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class ProductError:
    """A quantized product of a file beside the Keras layer of its name.

    Attributes:
        layer: name in the Keras model.
        rows: of its input that were compared.
        factor: constant that the converter merged into its weights.
        max_error: largest difference, as a share of the output's range.
        ties: rows whose activations lie on a rounding edge and went to the other side in LiteRT;
            they are compared with what the file's integers give there.
    """

    layer: str
    rows: int
    factor: float
    max_error: float
    ties: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class LengthRate:
    """Word error rate of the recordings of similar length.

    Attributes:
        seconds: from these on.
        below: up to these seconds, None for no limit.
        utterances: of that length.
        words: in their references.
        wer: word error rate.
    """

    seconds: float
    below: float | None
    utterances: int
    words: int
    wer: float

    @property
    def group(self) -> str:
        """The seconds in words, `5 to 10` or `30 and more`."""
        return f"{self.seconds:g} " + (f"to {self.below:g}" if self.below else "and more")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Evaluation(ScoredFile, Provenance):
    """What `tflite-export evaluate` finds.

    Attributes:
        normalizer: that references and hypotheses went through, see
            `asr_qat.text.normalizers`.
        against_keras: with `--compare`, else None.
        by_length: error rates by the length of the recording, shortest first.
        left_out: recordings that the figures are not of: they cannot be read, or could not when
            they were prepared.
    """

    normalizer: str = "plain"
    against_keras: Comparison | None = None
    by_length: tuple[LengthRate, ...] = ()
    left_out: int = 0
