"""Parts that all result pages and tables share: numbers in words, tables, templates.

Pages are Jinja templates (`*.html`, values escaped), tables are data frames of texts.
"""

import dataclasses
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd
from markupsafe import Markup, escape

from asr_qat.provenance import Provenance
from tflite_export.score.equivalence import MARGIN, Judgement
from tflite_export.score.rows import Difference

NONE = "–"
MARGIN_POINTS = f"±{100 * MARGIN:.1f} point of WER"
BYTES_PER_MB = 1e6
_BOUNDS = re.compile(r"[\[(][-+.\d]+(, |–)[-+.\d]+[\])]")


@dataclasses.dataclass(frozen=True)
class Table:
    """A table with a title.

    Attributes:
        title: what it shows.
        frame: texts; the first column names the row.
        note: what a reader must know, or nothing.
    """

    title: str
    frame: pd.DataFrame
    note: str = ""

    @classmethod
    def of(
        cls,
        title: str,
        columns: Sequence[tuple[str, Callable[[Any], str]]],
        rows: Iterable[Any],
        note: str = "",
    ) -> "Table":
        """A line for each row; `columns` are titles and what each says of a row."""
        lines = [[show(row) for _, show in columns] for row in rows]
        return cls(title, pd.DataFrame(lines, columns=[name for name, _ in columns]), note)

    @property
    def anchor(self) -> str:
        """The title as a fragment of an address."""
        return anchor(self.title)

    def markdown(self) -> str:
        """Title, table and note."""
        return render("table.md.jinja", table=self).strip()


def anchor(title: str) -> str:
    """A title as a fragment of an address."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _whole(text: str) -> Markup:
    """A text with intervals that are never broken into two lines."""
    return Markup(_BOUNDS.sub(r'<span class="whole">\g<0></span>', str(escape(text))))


def _environment() -> jinja2.Environment:
    here = Path(__file__).parent
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([here, here.parent / "demo", here.parent / "study"]),
        autoescape=jinja2.select_autoescape(("html",), default=False),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["whole"] = _whole
    return environment


def render(template: str, **values: object) -> str:
    """Fill a template of `experiments/reports`, `experiments/demo` or `experiments/study`."""
    return _environment().get_template(template).render(values)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars in cells are escaped."""
    return Table("", pd.DataFrame(rows, columns=header)).markdown()


def origin(results: Provenance) -> dict[str, Any]:
    """Facts of where results come from."""
    hardware = results.hardware
    return {
        "Commit": results.commit,
        "Seed": results.seed,
        "Processor": hardware.cpu,
        "Cores": hardware.cores,
        "Memory": f"{hardware.memory_gb:.0f} GB",
    }


def interval(bounds: Sequence[float], sign: str = "") -> str:
    """Bounds given as shares, in percent."""
    low, high = (f"{100 * bound:{sign}.1f}" for bound in bounds)
    return f"[{low}, {high}]"


def points(value: float | None, bounds: Sequence[float] | None) -> str:
    """A difference of error rates in percentage points with its interval, if there is one."""
    if value is None or bounds is None:
        return NONE
    return f"{100 * value:+.1f} {interval(bounds, '+')}"


def difference(row: Difference) -> str:
    """WER difference of a row in percentage points with its interval, if there is one."""
    return points(row.wer_diff, row.wer_diff_ci)


def verdict(judgement: Judgement | None) -> str:
    """What a judgement says, in one word or two."""
    return NONE if judgement is None else judgement.verdict


def verdict_note(comparisons: int, baseline: str = "float32") -> str:
    """How the verdicts of a page are to be read.

    Args:
        comparisons: that they are given on together.
        baseline: what is compared with.
    """
    together = (
        f"The intervals of all {comparisons} comparisons are widened so that they hold together "
        "with 95% (Bonferroni). "
        if comparisons > 1
        else ""
    )
    return (
        f"Verdict on the difference to {baseline}: “lossless” if its whole 95% interval lies "
        f"within {MARGIN_POINTS}, “worse” or “better” if it lies on one side of 0 and not within "
        f"that margin, else “not shown”. {together}That an interval contains 0 does not show that "
        "two models are equal."
    )


def duration(seconds: float) -> str:
    """Minutes, or hours."""
    minutes, hours = seconds / 60, seconds / 3600
    return f"{hours:.1f} h" if hours >= 1 else f"{minutes:.1f} min"
