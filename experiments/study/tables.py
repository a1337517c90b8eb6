"""The tables of a study: the same cells in Markdown and HTML."""

import dataclasses
import math
import re
from collections.abc import Callable, Iterable

from experiments.reports import page_parts
from experiments.reports.page_parts import BYTES_PER_MB, NONE, difference, duration, interval
from experiments.study.config import ACTIVATIONS
from experiments.study.saved_study import FLOAT, METHODS, Row, Saved

TRAINING_ONLY = "training only"
FLOAT_BITS = 32
TWO_BITS = 2
KINDS = tuple(ACTIVATIONS)  # of activations, in the order of a grid
_BOUNDS = re.compile(r"[\[(][-+.\d]+(, |–)[-+.\d]+[\])]")
Column = tuple[str, Callable[[Row], str]]


@dataclasses.dataclass(frozen=True)
class Table:
    """A table with a title.

    Attributes:
        title: what it shows.
        header: titles of the columns.
        rows: cells of each row.
        note: what a reader must know, or nothing.
    """

    title: str
    header: list[str]
    rows: list[list[str]]
    note: str = ""

    def markdown(self) -> str:
        """Title, table and note."""
        parts = [f"## {self.title}", page_parts.markdown(self.header, self.rows), self.note]
        return "\n\n".join(part for part in parts if part)

    def html(self) -> str:
        """The table alone, its intervals never broken into two lines."""
        cells = page_parts.table(self.header, self.rows, "sortable")
        return _BOUNDS.sub(r'<span class="whole">\g<0></span>', cells)


def bits(row: Row) -> str:
    """Width of the weights."""
    if row["weights"] is None:
        return "mixed"
    return "float" if row["weights"] == FLOAT_BITS else f"{row['weights']} bits"


def runs_in(row: Row) -> str:
    """Whether the device executes the arithmetic."""
    return "LiteRT" if row["executed_on_device"] else TRAINING_ONLY


def megabytes(row: Row) -> str:
    """Size of the file, if there is one."""
    return f"{row['bytes'] / BYTES_PER_MB:.2f}" if in_file(row) else NONE


def smaller(row: Row) -> str:
    """How many times smaller than float32."""
    return f"{row['ratio']:.1f}x" if row["ratio"] else NONE


def in_file(row: Row) -> bool:
    """Whether there is a file: what exists in training only has none."""
    return bool(row["bytes"]) and bool(row["executed_on_device"])


def spread(rates: dict[str, float]) -> str:
    """Mean in percent and, where they differ, the range over the seeds."""
    mean, low, high = (100 * rates[key] for key in ("mean", "min", "max"))
    return f"{mean:.1f}" if low == high else f"{mean:.1f} ({low:.1f}–{high:.1f})"


def method(row: Row) -> str:
    """In words."""
    name = str(row["method"])
    return METHODS.get(name, name)


def changed(row: Row) -> str:
    """Share of hypotheses in which the file differs from the Keras model, if there is a file."""
    if not row["executed_on_device"]:
        return NONE
    return f"{row['changed_hypotheses']['share']:.1%}"


SIZE: tuple[Column, ...] = (("MB", megabytes), ("Smaller", smaller), ("Runs in", runs_in))


def columns(study: Saved) -> tuple[Column, ...]:
    """What is said of a pooled row."""
    measured = (study.speed or {"rtf": {}})["rtf"]

    def speed(row: Row) -> str:
        return f"{measured[row['name']]:.4f}" if row["name"] in measured else NONE

    def rate(split: str) -> Column:
        return f"WER {split} %", lambda row: spread(row["wer"][split])

    return (
        ("Cell", lambda row: row["name"]),
        ("Method", method),
        ("Weights", bits),
        ("Activations", lambda row: row["activations"]),
        ("Scheme", lambda row: row["scheme"]),
        ("Steps", lambda row: f"{row['steps']:,}"),
        ("Seeds", lambda row: str(len(row["seeds"]))),
        *SIZE,
        ("RTF", speed),
        *map(rate, study.splits),
        (f"Difference {study.together} [95%]", difference),
        (f"Changed in the file, {study.together}", changed),
    )


def activation_kinds(rows: list[Row]) -> list[str]:
    """Kinds of activations in the order of a grid; those that have no place in it last."""
    found = dict.fromkeys(row["activations"] for row in rows)
    return sorted(found, key=lambda kind: KINDS.index(kind) if kind in KINDS else len(KINDS))


def grid_table(study: Saved) -> Table:
    """Weights by activations, with a column for each method.

    What is not quantized at all is the same by every method.
    """
    pooled, split = study.grid, study.splits[0]
    methods = [name for name in METHODS if any(row["method"] == name for row in pooled)]
    methods = [name for name in methods if name != FLOAT] or methods
    kinds = activation_kinds(pooled)
    rows = []
    for weights, activations in sorted(
        {(row["weights"], row["activations"]) for row in pooled},
        key=lambda pair: (-(pair[0] or 0), kinds.index(pair[1])),
    ):
        cells = [
            row for row in pooled if (row["weights"], row["activations"]) == (weights, activations)
        ]
        by_method = [[r for r in cells if r["method"] in (name, FLOAT)] for name in methods]
        rows.append(
            [
                bits(cells[0]),
                activations,
                *(show(cells[0]) for _, show in SIZE),
                *(_rates(some, split) for some in by_method),
                _range(len(row["seeds"]) for row in cells),
            ]
        )
    titles = ["Weights", "Activations", *(title for title, _ in SIZE)]
    said = f"WER {split} %; difference, changed {study.together}"
    titles += [f"{METHODS[name]}: {said}" for name in methods] + ["Seeds"]
    return Table(
        "Weights by activations",
        titles,
        rows,
        f"Each method: WER of {split} in percent, in round brackets its range over the seeds; then "
        f"the difference to float32 in points, of {study.together}, in square brackets its paired "
        f"95% interval; then the share of utterances, of {study.together}, in which the file says "
        "something else than the Keras model.",
    )


def _rates(rows: list[Row], split: str) -> str:
    """What a cell of the grid says: one precision and method, with one or more step counts."""
    texts = []
    for row in rows:
        words = [spread(row["wer"][split])]
        if row["wer_diff_ci"] is not None:
            words.append(difference(row))
        if row["executed_on_device"] and row["method"] != FLOAT:
            words.append(f"{changed(row)} changed")
        if len(rows) > 1:
            words.append(f"at {row['steps']:,} steps")
        texts.append("; ".join(words))
    return " / ".join(texts) or NONE


def _range(numbers: Iterable[int]) -> str:
    found = sorted(set(numbers))
    return str(found[0]) if len(found) == 1 else f"{found[0]}–{found[-1]}"


def two_bit_table(study: Saved) -> Table:
    """Every pooled row with 2-bit weights, the smallest difference to float32 first."""
    rows = [row for row in study.pooled if row["weights"] == TWO_BITS]
    unknown = math.inf  # the baseline is not finished
    ordered = sorted(rows, key=lambda row: unknown if row["wer_diff"] is None else row["wer_diff"])
    return _pooled_table(study, "2-bit weights, of all groups", ordered)


def group_tables(study: Saved) -> list[Table]:
    """A table for each group but the grid."""
    return [_pooled_table(study, f"Group: {name}", study.group(name)) for name in study.groups]


def _pooled_table(study: Saved, title: str, rows: list[Row]) -> Table:
    return _table(title, columns(study), rows)


def _table(title: str, shown: tuple[Column, ...], rows: list[Row]) -> Table:
    return Table(title, [name for name, _ in shown], [[show(r) for _, show in shown] for r in rows])


def cells_table(study: Saved) -> Table:
    """Every cell, scored on the first split."""
    shown: tuple[Column, ...] = (
        ("Cell", lambda row: row["name"]),
        ("Method", method),
        ("Steps", lambda row: f"{row['steps']:,}"),
        *SIZE,
        ("WER % [95%]", lambda row: f"{100 * row['wer']:.1f} {interval(row['wer_ci'])}"),
        ("Difference [95%]", difference),
        ("CER %", lambda row: f"{100 * row['cer']:.1f}"),
        ("WER in Keras %", lambda row: f"{100 * row['keras_wer']:.1f}"),
        ("Same text as Keras", _if_executed(lambda row: f"{row['identical_hypotheses']:.1%}")),
        ("Time", lambda row: duration(sum(row["seconds"].values()))),
    )
    return _table(f"Every cell, on {study.splits[0]}", shown, study.rows)


def _if_executed(show: Callable[[Row], str]) -> Callable[[Row], str]:
    return lambda row: show(row) if row["executed_on_device"] else NONE
