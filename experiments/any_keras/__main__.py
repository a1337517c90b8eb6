"""`python -m experiments.any_keras`: Keras models of any kind, beside other tools."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from asr_qat.config import load_json
from asr_qat.errors import exit_code
from asr_qat.parser import Parser
from asr_qat.provenance import provenance
from experiments.any_keras import architectures, examples, executed, step_cost
from experiments.any_keras.results import AnyKerasResults
from experiments.any_keras.table import any_keras_table
from experiments.reports.write import write_results

# What measures the rows of a section, given a folder for files.
SECTIONS: dict[str, Callable[[Path], tuple]] = {
    "examples": lambda work: tuple(examples.measure(each, work) for each in examples.EXAMPLES),
    "architectures": architectures.measure,
    "steps": step_cost.measure,
    "executed": executed.measure,
}


def main() -> None:
    """Entry point."""
    sys.exit(exit_code("experiments.any_keras", _run))


def _run() -> None:
    parser = Parser(prog="experiments.any_keras", description=__doc__)
    parser.add_argument(
        "sections",
        nargs="*",
        metavar="SECTION",
        help=f"to measure: {', '.join(SECTIONS)} (default: all); the others stay as they are",
    )
    parser.add_argument("--work", type=Path, default=Path("work/any_keras"))
    parser.add_argument("--out", type=Path, default=Path("results/any_keras.json"))
    args = parser.parse_args()
    for name in args.sections:
        if name not in SECTIONS:
            parser.error(f"{name!r}: expected some of {', '.join(SECTIONS)}")
    rows = _before(args.out)
    for name in args.sections or SECTIONS:
        print(f"== {name}", flush=True)
        rows[name] = SECTIONS[name](args.work)
        found = AnyKerasResults(**provenance(), **rows).with_targets()
        write_results(found, args.out, any_keras_table)


def _before(path: Path) -> dict[str, Any]:
    """The rows of the file, by section."""
    if not path.exists():
        return {}
    found = load_json(path, AnyKerasResults)
    return {name: getattr(found, name) for name in SECTIONS}


if __name__ == "__main__":
    main()
