"""What a study has written, read again.

NAME.json                   all cells, all variants over their seeds; provenance
NAME/cells/CELL.json        a cell with its hypotheses of each split
NAME/references.json        texts of each split, in the order of the hypotheses
NAME/sensitivity.json       rise of the loss by layer and precision, if it was measured
NAME/histograms.json        weights before and after quantized training, if they were counted
NAME/speed.json             real-time factor of each variant's file, and the runs it was measured in
"""

import dataclasses
import functools
from pathlib import Path

from asr_qat import files
from asr_qat.config import from_dict
from asr_qat.provenance import Provenance
from experiments.sensitivity.layer_sensitivity import Sensitivity
from experiments.study.cell_rows import FLOAT, CellResult, CellRow, Scheme, cell_result
from experiments.study.config import ACTIVATIONS
from experiments.study.study_rows import StudySummary, VariantRow, study_summary
from tflite_export.score.equivalence import Judgement, judge

REFERENCES, SENSITIVITY, HISTOGRAMS, SPEED = (
    "references.json",
    "sensitivity.json",
    "histograms.json",
    "speed.json",
)


@dataclasses.dataclass(frozen=True)
class IntegerCounts:
    """How often each integer is there."""

    values: tuple[int, ...]
    counts: tuple[int, ...]


@dataclasses.dataclass(frozen=True)
class WeightCounts:
    """The weights of a layer.

    Attributes:
        weights: number of float weights in each bin, those beyond the grid in the outermost.
        integers: that they are rounded to.
    """

    weights: tuple[int, ...]
    integers: IntegerCounts


@dataclasses.dataclass(frozen=True)
class LayerHistogram:
    """The weights of a layer before and after quantized training.

    Attributes:
        bits: of the integers.
        edges: of the bins, in steps of the quantizer.
        before: the float model quantized after training.
        after: the trained one.
    """

    bits: int
    edges: tuple[float, ...]
    before: WeightCounts
    after: WeightCounts


Histograms = dict[str, dict[str, LayerHistogram]]  # by cell and layer


@dataclasses.dataclass(frozen=True, kw_only=True)
class TimedRun(Provenance):
    """Files that were timed together.

    Attributes:
        rounds: real-time factors of each round, by variant.
        utterances: that each round recognises.
        threads: CPU threads.
        sha256: of the files, by variant; an earlier version did not note it.
    """

    rounds: dict[str, tuple[float, ...]]
    utterances: int
    threads: int
    sha256: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class Speeds:
    """Real-time factor of each variant's file.

    Attributes:
        rtf: the least of the rounds. What else a machine does makes a round slower, never faster:
            files of equal graphs agree in the least of their rounds.
        spread: the greatest round over the least.
        runs: that they were measured in.
    """

    rtf: dict[str, float]
    spread: dict[str, float]
    runs: tuple[TimedRun, ...]

    @classmethod
    def of(cls, runs: tuple[TimedRun, ...]) -> "Speeds":
        """The figures of some runs; a later one replaces those of an earlier one."""
        rounds = {name: values for run in runs for name, values in run.rounds.items()}
        return cls(
            {name: min(values) for name, values in rounds.items()},
            {name: max(values) / min(values) for name, values in rounds.items()},
            runs,
        )


@dataclasses.dataclass(frozen=True)
class Saved:
    """A study's results.

    Attributes:
        summary: the main file.
        cells: by name.
        references: texts of each split, or None.
        sensitivity: of the layers, or None.
        histograms: layers of some cells, or None.
        speed: of the files, or None.
    """

    summary: StudySummary
    cells: dict[str, CellResult]
    references: dict[str, tuple[str, ...]] | None = None
    sensitivity: Sensitivity | None = None
    histograms: Histograms | None = None
    speed: Speeds | None = None

    @property
    def rows(self) -> tuple[CellRow, ...]:
        """One for each cell."""
        return self.summary.rows

    @property
    def variants(self) -> tuple[VariantRow, ...]:
        """One for each variant (precision, method and training), over its seeds."""
        return self.summary.pooled

    @property
    def splits(self) -> list[str]:
        """Those that were scored, that of the main figures first."""
        return list(self.summary.corpus.splits)

    @property
    def together(self) -> str:
        """All splits as a heading names them, `test+dev`."""
        return "+".join(self.splits)

    @property
    def grid(self) -> list[VariantRow]:
        """The variants of weights by activations."""
        return [row for row in self.variants if in_grid(row, row.name)]

    @property
    def groups(self) -> list[str]:
        """Names of the groups that have a table of their own, in the order in which they come.

        That is all but those of several methods that the grid shows whole, side by side.
        """
        names = dict.fromkeys(name for row in self.variants for name in row.groups)
        return [name for name in names if not self._in_grid(name)]

    def _in_grid(self, group: str) -> bool:
        rows = self.group(group)
        methods = {row.method for row in rows} - {FLOAT}
        return len(methods) > 1 and all(in_grid(row, row.name) for row in rows)

    def group(self, name: str) -> list[VariantRow]:
        """The variants of a group."""
        return [row for row in self.variants if name in row.groups]

    @functools.cached_property
    def compared(self) -> list[VariantRow]:
        """The variants that are compared with float32: the verdicts hold for all of them."""
        return [row for row in self.variants if row.wer_diff_ci is not None]

    def judge(self, row: VariantRow) -> Judgement | None:
        """Whether a variant is as good as float32; None where it is not compared with it."""
        if row.wer_diff is None or row.wer_diff_ci is None:
            return None
        return judge(row.wer_diff, row.wer_diff_ci, len(self.compared))

    def judge_by_speakers(self, row: VariantRow) -> Judgement | None:
        """The same with speakers and seeds drawn; None where that interval is not known."""
        if row.wer_diff is None or row.wer_diff_ci_speakers is None:
            return None
        return judge(row.wer_diff, row.wer_diff_ci_speakers, len(self.compared))


def in_grid(scheme: Scheme, variant: str) -> bool:
    """Whether a variant is one of weights by activations, whatever its group.

    Its layers have one width and a scale for each channel, its training differs from the study's
    in the steps at most: anything else has a part of its name after a `-` or `+`.
    """
    uniform = not scheme.is_mixture and scheme.activations in ACTIVATIONS
    return uniform and not {"-", "+"} & set(variant)


def folder_of(results: Path) -> Path:
    """The folder beside a study's main file that holds the rest."""
    return results.with_suffix("")


def cell_path(folder: Path, name: str) -> Path:
    """The file of a cell in a study's folder."""
    return folder / "cells" / f"{name}.json"


def read_cell(path: Path) -> CellResult:
    """Read the file of a cell. Raises `UserError` if it is missing or damaged."""
    return cell_result(files.read_json(path), str(path))


def read_histograms(path: Path) -> Histograms:
    """Read `histograms.json`. Raises `UserError` if it is damaged."""
    return {
        cell: {
            layer: from_dict(LayerHistogram, found, f"{path}: {cell}: {layer}")
            for layer, found in layers.items()
        }
        for cell, layers in files.read_json(path).items()
    }


def read_speeds(path: Path) -> Speeds:
    """Read `speed.json`. Raises `UserError` if it is damaged.

    The file of an earlier version is a single run, beside figures that follow from it.
    """
    content = files.read_json(path)
    runs = content.get("runs", [content])
    follow = ("rtf", "spread")
    kept = [{key: value for key, value in run.items() if key not in follow} for run in runs]
    return Speeds.of(tuple(from_dict(TimedRun, run, str(path)) for run in kept))


def read_study(results: str | Path) -> Saved:
    """Read a study from its main file and what lies beside it.

    Raises:
        UserError: a file is missing or damaged; references, sensitivity, histograms and speed
            may be missing.
    """
    results = Path(results)
    folder = folder_of(results)
    summary = study_summary(files.read_json(results), str(results))
    there = {
        name: folder / name
        for name in (REFERENCES, SENSITIVITY, HISTOGRAMS, SPEED)
        if (folder / name).is_file()
    }
    references = files.read_json(there[REFERENCES]) if REFERENCES in there else None
    return Saved(
        summary,
        {row.name: read_cell(cell_path(folder, row.name)) for row in summary.rows},
        references and {split: tuple(texts) for split, texts in references.items()},
        Sensitivity.load(there[SENSITIVITY]) if SENSITIVITY in there else None,
        read_histograms(there[HISTOGRAMS]) if HISTOGRAMS in there else None,
        read_speeds(there[SPEED]) if SPEED in there else None,
    )
