"""The rows of a study's main file: of each variant (all seeds of a cell), and of all together."""

import dataclasses
from typing import Any

from asr_qat.config import from_dict
from asr_qat.provenance import Provenance
from asr_qat.text.normalizers import PLAIN
from experiments.study.cell_rows import CellRow, Scheme, without_repeated
from experiments.targets import Row
from tflite_export.score.rows import Interval


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
    """What was recognised. A notice is what a reader must know before the results.

    `normalizer` is that of the texts, see `asr_qat.text.normalizers`.
    """

    name: str
    description: str | None
    licence: str | None
    splits: dict[str, SplitSize]
    notice: str | None = None
    normalizer: str = PLAIN


@dataclasses.dataclass(frozen=True, kw_only=True)
class StudySummary(Provenance):
    """The main file of a study, with the provenance of its writing.

    Attributes:
        rows: of the cells.
        pooled: of the variants over their seeds.
        cells: how many are finished.
        corpus: what was recognised.
        targets: what was promised of variants.
    """

    rows: tuple[CellRow, ...]
    pooled: tuple[VariantRow, ...]
    cells: Progress
    corpus: Corpus
    targets: tuple[Row, ...] = ()


def study_summary(content: Any, where: str) -> StudySummary:
    """The main file of a study. Raises `UserError`, which begins with `where`."""
    if isinstance(content, dict) and isinstance(content.get("rows"), list):
        content = {**content, "rows": [without_repeated(row) for row in content["rows"]]}
    return from_dict(StudySummary, content, where)
