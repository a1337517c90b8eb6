"""What a study has written, read again.

NAME.json                   `rows`, one for each cell; `pooled`, over the seeds; provenance
NAME/cells/CELL.json        a cell with its hypotheses of each split
NAME/references.json        texts of each split, in the order of the hypotheses
NAME/sensitivity.json       rise of the loss by layer and precision, if it was measured
NAME/histograms.json        weights before and after quantized training, if that was asked for
NAME/speed.json             real-time factor of each variant's file, and the runs it was measured in
"""

import dataclasses
from pathlib import Path
from typing import Any

from asr_qat import files
from experiments.study.config import ACTIVATIONS

FLOAT = "float"
REFERENCES, SENSITIVITY, HISTOGRAMS, SPEED = (
    "references.json",
    "sensitivity.json",
    "histograms.json",
    "speed.json",
)
METHODS = {
    FLOAT: "float training",
    "ptq": "post-training",
    "fake-qat": "fake QAT",
    "native-qat": "native QAT",
}

Row = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Saved:
    """A study's results.

    Attributes:
        results: content of the main file.
        cells: content of each cell's file, by the cell's name.
        references: texts of each split, or None.
        sensitivity: content of that file, or None.
        histograms: layers of some cells by the cell's name, or None.
        speed: `speeds` of that file, or None.
    """

    results: dict[str, Any]
    cells: dict[str, dict[str, Any]]
    references: dict[str, list[str]] | None = None
    sensitivity: dict[str, Any] | None = None
    histograms: dict[str, Any] | None = None
    speed: dict[str, Any] | None = None

    @property
    def rows(self) -> list[Row]:
        """One for each cell."""
        return self.results["rows"]

    @property
    def pooled(self) -> list[Row]:
        """One for each variant (precision, method and training), over its seeds."""
        return self.results["pooled"]

    @property
    def splits(self) -> list[str]:
        """Those that were scored, that of the main figures first."""
        return list(self.results["corpus"]["splits"])

    @property
    def together(self) -> str:
        """All splits as a heading names them, `test+dev`."""
        return "+".join(self.splits)

    @property
    def grid(self) -> list[Row]:
        """The pooled rows of weights by activations."""
        return [row for row in self.pooled if in_grid(row)]

    @property
    def groups(self) -> list[str]:
        """Names of the groups that have a table of their own, in the order in which they come.

        That is all but those of several methods that the grid shows whole, side by side.
        """
        names = dict.fromkeys(name for row in self.pooled for name in row["groups"])
        return [name for name in names if not self._in_grid(name)]

    def _in_grid(self, group: str) -> bool:
        rows = self.group(group)
        methods = {row["method"] for row in rows} - {FLOAT}
        return len(methods) > 1 and all(map(in_grid, rows))

    def group(self, name: str) -> list[Row]:
        """The pooled rows of a group."""
        return [row for row in self.pooled if name in row["groups"]]


def in_grid(row: Row) -> bool:
    """Whether a pooled row is one of weights by activations, whatever its group.

    Its layers have one width and a scale for each channel, its training differs from the study's
    in the steps at most: anything else has a part of its name, behind a `-` or `+`.
    """
    uniform = row["weights"] is not None and row["activations"] in ACTIVATIONS
    return uniform and not {"-", "+"} & set(row["name"])


def timed_runs(content: dict[str, Any]) -> list[dict[str, Any]]:
    """The runs in `speed.json`: `rounds` and `sha256` of files by variant, and provenance.

    The file of an earlier version is one run, which did not note the files' checksums.
    """
    return content["runs"] if "runs" in content else [{**content, "sha256": {}}]


def speeds(runs: list[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """`rtf` and `spread` by variant: the least of its rounds, and the largest over the least.

    What else a machine does makes a round slower, never faster: files of equal graphs agree in
    the least of their rounds.
    """
    rounds = {name: values for run in runs for name, values in run["rounds"].items()}
    return {
        "rtf": {name: min(values) for name, values in rounds.items()},
        "spread": {name: max(values) / min(values) for name, values in rounds.items()},
    }


def folder_of(results: Path) -> Path:
    """The folder beside a study's main file that holds the rest."""
    return results.with_suffix("")


def read_study(results: str | Path) -> Saved:
    """Read a study from its main file and what lies beside it.

    Raises:
        UserError: a file is missing or damaged; references, sensitivity, histograms and speed
            may be missing.
    """
    results = Path(results)
    folder = folder_of(results)

    def optional(name: str) -> Any:
        path = folder / name
        return files.read_json(path) if path.is_file() else None

    content = files.read_json(results)
    names = [row["name"] for row in content["rows"]]
    timed = optional(SPEED)
    return Saved(
        content,
        {name: files.read_json(folder / "cells" / f"{name}.json") for name in names},
        optional(REFERENCES),
        optional(SENSITIVITY),
        optional(HISTOGRAMS),
        None if timed is None else speeds(timed_runs(timed)),
    )
