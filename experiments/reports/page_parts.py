"""Parts that all result pages and tables share: cells, tables, facts and the style sheet."""

import html
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NONE = "–"
BYTES_PER_MB = 1e6
STYLE = Path(__file__).with_name("page.css")


def style() -> str:
    """The style sheet, for light and dark screens, wide and narrow."""
    return STYLE.read_text(encoding="utf-8").rstrip()


def text(value: Any) -> str:
    """`value` as text that HTML takes for text."""
    return html.escape(str(value))


def table(header: Sequence[str], rows: Sequence[Sequence[str]], kind: str = "") -> str:
    """An HTML table that becomes a list of cards on a narrow screen.

    Args:
        header: titles of the columns.
        rows: cells; the first of each row is its name.
        kind: class of the element, if any.
    """
    opening = f'<table class="{text(kind)}">' if kind else "<table>"
    head = "".join(f'<th scope="col">{text(title)}</th>' for title in header)
    body = "".join(f"<tr>{_cells(header, row)}</tr>\n" for row in rows)
    return f"{opening}<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def _cells(header: Sequence[str], row: Sequence[str]) -> str:
    first = f'<th scope="row">{text(row[0])}</th>'
    return first + "".join(
        f'<td data-title="{text(title)}">{text(cell)}</td>'
        for title, cell in zip(header[1:], row[1:], strict=True)
    )


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; bars in cells are escaped."""
    lines = [header, ["---"] * len(header)]
    lines += [[cell.replace("|", r"\|") for cell in row] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def facts(items: dict[str, Any]) -> str:
    """Names and values as an HTML list."""
    terms = "".join(f"<dt>{text(k)}</dt><dd>{text(v)}</dd>" for k, v in items.items())
    return f"<dl>{terms}</dl>"


def origin(content: dict[str, Any]) -> dict[str, Any]:
    """Facts of where results come from, as `asr_qat.provenance` writes them."""
    hardware = content["hardware"]
    return {
        "Commit": content["commit"],
        "Seed": content["seed"],
        "Processor": hardware["cpu"],
        "Cores": hardware["cores"],
        "Memory": f"{hardware['memory_gb']:.0f} GB",
    }


def interval(bounds: Sequence[float], sign: str = "") -> str:
    """Bounds given as shares, in percent."""
    low, high = (f"{100 * bound:{sign}.1f}" for bound in bounds)
    return f"[{low}, {high}]"


def difference(row: dict[str, Any]) -> str:
    """WER difference of a row in percentage points with its interval, if there is one."""
    if row["wer_diff_ci"] is None:
        return NONE
    return f"{100 * row['wer_diff']:+.1f} {interval(row['wer_diff_ci'], '+')}"


def duration(seconds: float) -> str:
    """Minutes, or hours."""
    minutes, hours = seconds / 60, seconds / 3600
    return f"{hours:.1f} h" if hours >= 1 else f"{minutes:.1f} min"
