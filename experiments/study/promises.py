"""What a study was meant to show: a figure of a variant over its seeds, beside its target."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

from asr_qat.errors import require
from experiments.study.study_rows import VariantRow
from experiments.targets import Row, at_least, at_most, without_target

Figure = Literal["ratio", "seeds", "difference", "lower", "upper", "width", "wer"]


@dataclasses.dataclass(frozen=True)
class Promise:
    """A figure of a variant, with a target or for comparison.

    Attributes:
        variant: its name, as `asr-qat study --list` has it, without the seed.
        figure: `ratio`: how many times smaller than float32 the file is; `seeds` that were
            compared with their baseline; `difference` to it, all splits and seeds together, in
            points, the `lower` and the `upper` end of its interval and its `width`; `wer`: error
            rate in percent on `split`, mean of the seeds.
        at_most: target.
        at_least: target.
        split: of `wer`.
    """

    variant: str
    figure: Figure
    at_most: float | None = None
    at_least: float | None = None
    split: str | None = None

    def __post_init__(self) -> None:
        """Raise `UserError` for two targets, or a split in the wrong place."""
        where = f"{self.variant}: {self.figure}"
        require(None in (self.at_most, self.at_least), f"{where}: at_most or at_least, not both")
        require((self.figure == "wer") == bool(self.split), f"{where}: split: is of wer, and of it")

    @property
    def name(self) -> str:
        """The variant and the figure in words."""
        words = "WER %, {}" if self.figure == "wer" else FIGURES[self.figure][0]
        return f"{self.variant}: {words.format(self.split)}"


def _end(place: int) -> Callable[[VariantRow], float | None]:
    return lambda row: 100 * row.wer_diff_ci[place] if row.wer_diff_ci else None


def _width(row: VariantRow) -> float | None:
    return None if row.wer_diff_ci is None else 100 * (row.wer_diff_ci[1] - row.wer_diff_ci[0])


FIGURES: dict[str, tuple[str, Callable[[VariantRow], float | None]]] = {
    "ratio": ("times smaller than float32", lambda row: row.ratio),
    "seeds": ("seeds", lambda row: len(row.paired_seeds)),
    "difference": (
        "points above float32",
        lambda row: None if row.wer_diff is None else 100 * row.wer_diff,
    ),
    "lower": ("points above float32, lower end of the interval", _end(0)),
    "upper": ("points above float32, upper end of the interval", _end(1)),
    "width": ("points above float32, width of the interval", _width),
}


def kept(promises: Sequence[Promise], rows: Sequence[VariantRow]) -> tuple[Row, ...]:
    """A row for each promise; what is not measured yet has no value, and is not met."""
    by_name = {row.name: row for row in rows}
    return tuple(_row(promise, by_name.get(promise.variant)) for promise in promises)


def _row(promise: Promise, row: VariantRow | None) -> Row:
    if promise.figure == "wer":
        spread = row.wer.get(promise.split or "") if row else None
        value = 100 * spread.mean if spread else None
    else:
        value = FIGURES[promise.figure][1](row) if row else None
    target = promise.at_least if promise.at_most is None else promise.at_most
    if target is None:
        return without_target(promise.name, value)
    if value is None:
        return Row(promise.name, None, target, False)
    return (at_least if promise.at_most is None else at_most)(promise.name, value, target)
