"""`results/house.json` in Markdown."""

from experiments.house.row import HouseResults
from experiments.reports.markdown import markdown_columns
from experiments.reports.targets import met_of, targets_table


def house_table(found: HouseResults) -> str:
    """The promises, then the tests that take longest."""
    slowest = [[name, f"{seconds:.0f}"] for name, seconds in found.slowest_tests]
    parts = [met_of(found.targets), targets_table(found.targets)]
    if slowest:
        parts += ["The slowest tests:", markdown_columns(["Test", "Seconds"], slowest)]
    return "\n\n".join(part.strip() for part in parts) + "\n"
