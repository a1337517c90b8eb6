"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def markdown_table(lines: Iterable[Sequence[str]]) -> str:
    """Lines of cells, the rule below the header among them."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def markdown_columns(columns: Sequence[str], rows: Iterable[Sequence[str]], words: int = 1) -> str:
    """A table of which the first `words` columns are text, the others numbers."""
    rule = ["---"] * words + ["---:"] * (len(columns) - words)
    return markdown_table([columns, rule, *rows])
