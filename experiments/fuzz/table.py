"""`results/fuzz.json` in Markdown."""

from experiments.fuzz.rows import FuzzResults
from experiments.reports.markdown import markdown_columns
from experiments.reports.targets import met_of

_COLUMNS = ["Input", "Cases", "Same or said", "Refused", "Silently different"]
_COLUMNS += ["Tracebacks", "Crashes", "Hangs"]


def fuzz_table(found: FuzzResults) -> str:
    """The page, which opens with the answer."""
    cases, wrong = (sum(getattr(row, key) for row in found.inputs) for key in ("cases", "wrong"))
    answer = (
        f"{met_of(found.targets)} Of {cases:,} changed inputs {wrong} were taken wrongly: an "
        "exception that is no line for the user, a process that ended, no answer in 10 s, or "
        "another result without a word."
    )
    rows = [
        [
            row.name.replace("_", " "),
            *(f"{count:,}" for count in (row.cases, row.same, row.refused, row.different)),
            *(f"{count:,}" for count in (row.tracebacks, row.crashes, row.hangs)),
        ]
        for row in found.inputs
    ]
    return f"{answer}\n\n{markdown_columns(_COLUMNS, rows)}"
