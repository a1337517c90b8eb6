"""The targets of a file of results in Markdown."""

from collections.abc import Sequence
from typing import Any

from experiments.reports.markdown import markdown_table
from experiments.targets import Row

NONE = "–"


def met_of(targets: Sequence[Row]) -> str:
    """The answer that a page opens with. A figure without a target does not count."""
    promised = [row for row in targets if row.met is not None]
    return f"**{sum(bool(row.met) for row in promised)} of {len(promised)} targets met.**"


def targets_table(targets: Sequence[Row]) -> str:
    """A row for each target and each figure without one."""
    lines = [["Target", "Measured", "Bar", ""], ["---", "---:", "---:", "---"]]
    words = {True: "met", False: "missed", None: ""}
    lines += [[row.name, _value(row.value), _value(row.target), words[row.met]] for row in targets]
    return markdown_table(lines)


def _value(value: Any) -> str:
    if value is None:
        return NONE
    return f"{value:.3g}" if isinstance(value, float) else str(value)
