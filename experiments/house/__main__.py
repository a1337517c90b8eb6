"""`python -m experiments.house`: measure every row and write them to a file."""

import argparse
import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path

from asr_qat import files
from asr_qat.errors import exit_code, require
from asr_qat.parser import Parser
from asr_qat.provenance import provenance
from experiments.house import device_rows, file_rows, repository_rows
from experiments.targets import Row

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
    parser.add_argument(
        "--only",
        nargs="+",
        metavar="ROW",
        help="functions that measure; other rows stay as they are",
    )
    args: argparse.Namespace = parser.parse_args()
    known = {row.__name__: row for module in MODULES for row in module.ROWS}
    for name in args.only or ():
        require(name in known, f"--only {name}: expected {', '.join(known)}")
    about = provenance()
    rows = [
        {**dataclasses.asdict(row), "commit": about["commit"]}
        for row in measure([known[name] for name in args.only or known])
    ]
    before = files.read_json(args.out) if args.only and args.out.exists() else {}
    measured = {row["name"] for row in rows}
    kept = [row for row in before.get("targets", []) if row["name"] not in measured]
    content = {
        "targets": [*kept, *rows],
        "slowest_tests": repository_rows.slowest_tests() or before.get("slowest_tests", []),
        **about,
    }
    files.write_json(args.out, content)


if __name__ == "__main__":
    main()
