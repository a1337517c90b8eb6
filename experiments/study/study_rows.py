"""The rows that a study writes: of each recogniser (cell), of each variant, and of all together.

A cell is one precision, method, training and seed; a variant is all seeds of it.
"""

import dataclasses
from typing import Any

from asr_qat.config import from_dict

FLOAT = "float"
METHODS = {
    FLOAT: "float training",
    "ptq": "post-training",
    "fake-qat": "fake QAT",
    "native-qat": "native QAT",
}
Interval = tuple[float, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Scheme:
    """What a precision is.

    Attributes:
        weights: width in bits, 32 for float; None where the layers differ (a mixture).
        activations: `float`, `int8 dynamic`, `int8 static`, `int4 dynamic`, or in a file without
            float tensors `int8 everywhere`, `int16 everywhere`.
        scheme: grid of the weights in words.
        executed_on_device: whether LiteRT executes the arithmetic of all layers, so that there is
            a file. Otherwise the scores are those of the Keras model.
    """

    weights: int | None
    activations: str
    scheme: str
    executed_on_device: bool

    @property
    def is_mixture(self) -> bool:
        """Whether the layers differ in precision."""
        return self.weights is None


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitScore:
    """How a recogniser did on one split.

    Attributes:
        utterances: number of them.
        words: of the references.
        wer: word error rate, as a share.
        wer_ci: its 95% interval over the utterances.
        cer: character error rate.
        rtf: processing time over the duration of the audio; None without a file.
        latency_ms: by percentile, `p50` and so on; None without a file.
        threads: CPU threads; None without a file.
        keras_wer: of the Keras model.
    """

    utterances: int
    words: int
    wer: float
    wer_ci: Interval
    cer: float
    rtf: float | None
    latency_ms: dict[str, float] | None
    threads: int | None
    keras_wer: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitTexts(SplitScore):
    """A score with the texts that it is of.

    Attributes:
        hypotheses: of each utterance.
        keras_hypotheses: those of the Keras model, by utterance, where they differ.
    """

    hypotheses: tuple[str, ...]
    keras_hypotheses: dict[str, str]


@dataclasses.dataclass(frozen=True, kw_only=True)
class SplitRow(SplitScore):
    """A score without texts.

    Attributes:
        identical_hypotheses: share of the utterances whose text from the file is that of the
            Keras model; None without a file.
    """

    identical_hypotheses: float | None


@dataclasses.dataclass(frozen=True)
class Hardware:
    """A machine, see `asr_qat.provenance`."""

    cpu: str
    cores: int
    memory_gb: float
    vnni: bool | None = None


@dataclasses.dataclass(frozen=True)
class Provenance:
    """Where a result comes from, see `asr_qat.provenance`."""

    command: str
    commit: str
    versions: dict[str, str]
    hardware: Hardware
    seed: int | None = None


@dataclasses.dataclass(frozen=True)
class Fingerprint:
    """What decides the outcome of a cell: two equal ones are the same work.

    Attributes:
        method: as in the study's configuration.
        quantization: values of `QuantizationConfig` that are not the default, None for float.
        training: the same of `TrainConfig`.
        start: checksum of the weights that the training starts from.
        corpus: checksum.
        seconds: lengths of the file's signatures.
        splits: that are scored.
        full_integer: type of the activations of a file without float tensors.
    """

    method: str
    quantization: dict | None
    training: dict
    start: str | None
    corpus: str
    seconds: tuple[float, ...]
    splits: tuple[str, ...]
    full_integer: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cell(Scheme):
    """What is known of a cell, in its own file and in the study's.

    Attributes:
        name: unique.
        variant: name without the seed.
        groups: of the study that it belongs to.
        baseline: name of the float cell with the same training, seed and order of the data.
        precision: name, that of most layers in a mixture.
        method: see `METHODS`.
        seed: of the training.
        steps: of the training.
        max_logit_diff: largest difference of the file's logits to those of the Keras model.
        median_logit_diff: the median one; both None without a file.
        seconds: that each stage took.
        full_integer: type of the activations of a file without float tensors.
    """

    name: str
    variant: str
    groups: tuple[str, ...]
    baseline: str | None
    precision: str
    method: str
    seed: int
    steps: int
    max_logit_diff: float | None
    median_logit_diff: float | None
    seconds: dict[str, float]
    full_integer: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellResult(Cell):
    """The file of a finished cell.

    Attributes:
        bytes: of the `.tflite`; without one those that the bare weights would take.
        splits: scores and texts of each split, that of the main figures first.
        provenance: of this cell.
        fingerprint: of this cell.
    """

    bytes: int
    splits: dict[str, SplitTexts]
    provenance: Provenance
    fingerprint: Fingerprint

    @property
    def first(self) -> SplitTexts:
        """Of the split of the main figures."""
        return next(iter(self.splits.values()))


@dataclasses.dataclass(frozen=True, kw_only=True)
class CellRow(Cell):
    """A cell in the study's main file.

    Attributes:
        bytes: of the file, None without one.
        splits: scores of each split.
        commit: of the code that made the cell.
        wer_diff: difference to the baseline's error rate on the first split, as a share; None
            while the baseline is not finished.
        wer_diff_ci: its paired 95% interval over the utterances; None for a baseline itself.
        ratio: how many times smaller than the baseline's file.
    """

    bytes: int | None
    splits: dict[str, SplitRow]
    commit: str
    wer_diff: float | None = None
    wer_diff_ci: Interval | None = None
    ratio: float | None = None

    @property
    def first(self) -> SplitRow:
        """Of the split of the main figures."""
        return next(iter(self.splits.values()))


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairedDifference:
    """Difference to other cells of the same seeds, over all seeds and splits.

    Attributes:
        wer_diff: of the error rates of all cells together, as a share; None where nothing is
            there to compare with.
        wer_diff_ci: its paired 95% interval: other utterances, these trainings. None for a
            baseline itself.
        wer_diff_ci_speakers: interval of other speakers and other seeds; None where all is of
            one speaker.
        wer_diff_by_seed: difference of each pair.
        paired_seeds: of the pairs.
    """

    wer_diff: float | None = None
    wer_diff_ci: Interval | None = None
    wer_diff_ci_speakers: Interval | None = None
    wer_diff_by_seed: tuple[float, ...] | None = None
    paired_seeds: tuple[int, ...] = ()


@dataclasses.dataclass(frozen=True)
class Spread:
    """Mean, least and greatest over the seeds."""

    mean: float
    min: float
    max: float


@dataclasses.dataclass(frozen=True)
class Changed:
    """Utterances whose text from the file differs from that of the Keras model.

    Attributes:
        changed: their number, over all seeds and splits.
        of: number of all.
        share: of them.
    """

    changed: int
    of: int
    share: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class Rival(PairedDifference):
    """The best uniform scheme of a mixture's size, and the mixture's difference to it.

    Attributes:
        name: of the variant.
        precision: of all its layers.
        bytes: of its file, mean of the seeds.
    """

    name: str
    precision: str
    bytes: float
    executed_on_device: bool = True


@dataclasses.dataclass(frozen=True, kw_only=True)
class VariantRow(PairedDifference, Scheme):
    """A variant over its seeds; the difference is that to its baselines.

    Attributes:
        name: of the variant.
        groups: of the study that it belongs to.
        precision: name, that of most layers in a mixture.
        method: see `METHODS`.
        steps: of the training.
        seeds: of its cells.
        bytes: of the file, mean of the seeds; None without one.
        wer: error rate by split.
        keras_wer: that of the Keras model by split.
        changed_hypotheses: None without a file.
        ratio: how many times smaller than the baselines' files.
        precisions: of a mixture's layers, that of most layers first.
        uniform: of a mixture: what it has to beat.
    """

    name: str
    groups: tuple[str, ...]
    precision: str
    method: str
    steps: int
    seeds: tuple[int, ...]
    bytes: float | None
    wer: dict[str, Spread]
    keras_wer: dict[str, Spread]
    changed_hypotheses: Changed | None
    ratio: float | None
    precisions: tuple[str, ...] | None = None
    uniform: Rival | None = None

    @property
    def has_file(self) -> bool:
        """Whether there is a `.tflite`: arithmetic that LiteRT does not execute has none."""
        return bool(self.bytes) and self.executed_on_device


@dataclasses.dataclass(frozen=True)
class Progress:
    """Number of cells."""

    planned: int
    finished: int


@dataclasses.dataclass(frozen=True)
class SplitSize:
    """Size of a split, and the speaker of each utterance, empty where unknown."""

    utterances: int
    words: int
    speakers: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Corpus:
    """What was recognised. A notice is what a reader must know before the results."""

    name: str
    description: str | None
    licence: str | None
    splits: dict[str, SplitSize]
    notice: str | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudySummary(Provenance):
    """The main file of a study, with the provenance of its writing."""

    rows: tuple[CellRow, ...]
    pooled: tuple[VariantRow, ...]
    cells: Progress
    corpus: Corpus


_REPEATED = {field.name for field in dataclasses.fields(SplitRow)}


def cell_result(content: Any, where: str) -> CellResult:
    """The file of a cell. Raises `UserError`, which begins with `where`, if it is damaged."""
    return from_dict(CellResult, _without_repeated(content), where)


def study_summary(content: Any, where: str) -> StudySummary:
    """The main file of a study. Raises `UserError`, which begins with `where`."""
    if isinstance(content, dict) and isinstance(content.get("rows"), list):
        content = {**content, "rows": [_without_repeated(row) for row in content["rows"]]}
    return from_dict(StudySummary, content, where)


def _without_repeated(row: Any) -> Any:
    """A row without the scores of its first split, which earlier versions wrote a second time."""
    if not isinstance(row, dict):
        return row
    return {key: value for key, value in row.items() if key not in _REPEATED}
