"""`python -m experiments.house`: measure every row and write them to a file."""

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

from asr_qat import files
from asr_qat.errors import exit_code
from asr_qat.parser import Parser
from asr_qat.provenance import provenance
from experiments.house import device_rows, file_rows, repository_rows
from experiments.house.row import Row

MODULES = (repository_rows, device_rows, file_rows)  # `ROWS`: functions that measure one row


def measure(measurements: list[Callable[[], Row]]) -> list[Row]:
    """Measure one row after the other, and print it."""
    rows = []
    for measurement in measurements:
        row = measurement()
        rows.append(row)
        verdict = {True: "met", False: "MISSED", None: ""}[row.met]
        target = "" if row.target is None else f"target {row.target}"
        value = f"{row.value:.2f}" if isinstance(row.value, float) else str(row.value)
        print(f"{row.name:<52}{value:>10}  {target:<14} {verdict}".rstrip(), flush=True)
    return rows


def main() -> None:
    """Entry point."""
    sys.exit(exit_code("experiments.house", _run))


def _run() -> None:
    parser = Parser(prog="experiments.house", description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/house.json"))
    args: argparse.Namespace = parser.parse_args()
    rows = measure([row for module in MODULES for row in module.ROWS])
    content = {
        "targets": [dataclasses.asdict(row) for row in rows],
        "slowest_tests": repository_rows.slowest_tests(),
        **provenance(),
    }
    files.write_json(args.out, content)


if __name__ == "__main__":
    main()
