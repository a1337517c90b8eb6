"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


def markdown_table(lines: Iterable[Sequence[str]]) -> str:
    """Lines of cells, the rule below the header among them."""
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)
