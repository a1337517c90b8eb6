"""The rows of a cell: one recogniser of a study, with one precision, method, training and seed."""

import dataclasses
from typing import Any

from asr_qat.config import from_dict
from asr_qat.provenance import Provenance
from tflite_export.score.rows import Accuracy, Interval, Percentiles

FLOAT = "float"
METHODS = {
    FLOAT: "float training",
    "ptq": "post-training",
    "fake-qat": "fake QAT",
    "native-qat": "native QAT",
}


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
class SplitScore(Accuracy):
    """How a recogniser did on one split.

    Attributes:
        rtf: processing time over the duration of the audio; None without a file.
        latency_ms: of an utterance; None without a file.
        threads: CPU threads; None without a file.
        keras_wer: of the Keras model.
    """

    rtf: float | None
    latency_ms: Percentiles | None
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


_REPEATED = {field.name for field in dataclasses.fields(SplitRow)}


def cell_result(content: Any, where: str) -> CellResult:
    """The file of a cell. Raises `UserError`, which begins with `where`, if it is damaged."""
    return from_dict(CellResult, without_repeated(content), where)


def without_repeated(row: Any) -> Any:
    """A row without the scores of its first split, which earlier versions wrote a second time."""
    if not isinstance(row, dict):
        return row
    return {key: value for key, value in row.items() if key not in _REPEATED}
