"""`python -m experiments.pretrained`: imported networks against the libraries they come from."""

import dataclasses
import sys
from pathlib import Path

from asr_qat import files
from asr_qat.config import load_json
from asr_qat.errors import exit_code, require
from asr_qat.parser import Parser
from asr_qat.provenance import provenance
from experiments.pretrained import logits, trained
from experiments.pretrained.logits import LogitsRow
from experiments.pretrained.results import PretrainedResults, targets
from experiments.pretrained.table import pretrained_table
from experiments.pretrained.trained import TrainedRow


def main() -> None:
    """Entry point."""
    sys.exit(exit_code("experiments.pretrained", _run))


def _run() -> None:
    parser = Parser(prog="experiments.pretrained", description=__doc__)
    parser.add_argument(
        "--peer-python",
        type=Path,
        required=True,
        help="Python of an environment with torch and nemo_toolkit[asr]",
    )
    parser.add_argument("--work", type=Path, default=Path("work/pretrained"))
    parser.add_argument("--out", type=Path, default=Path("results/pretrained.json"))
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="rows to measure; the others stay as they are"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    args = parser.parse_args()
    cases: dict[str, logits.Case | trained.Case] = {
        **{case.name: case for case in logits.CASES},
        **{case.name: case for case in trained.CASES},
    }
    names = args.only or list(cases)
    for name in names:
        require(name in cases, f"--only {name!r}: expected one of {', '.join(map(repr, cases))}")
    before = _before(args.out) if args.only else None
    rows: dict[str, LogitsRow | TrainedRow] = {}
    if before is not None:
        rows = {row.name: row for row in before.logits} | {row.name: row for row in before.trained}
    for name in names:
        case = cases[name]
        if not args.quiet:
            print(f"== {name}", flush=True)
        if isinstance(case, logits.Case):
            rows[name] = logits.measure(case, args.peer_python)
        else:
            rows[name] = trained.measure(case, args.peer_python, args.work, args.quiet)
        _write(args.out, rows, list(cases))


def _before(path: Path) -> PretrainedResults | None:
    if not path.exists():
        return None
    return load_json(path, PretrainedResults)


def _write(path: Path, rows: dict[str, LogitsRow | TrainedRow], order: list[str]) -> None:
    """All rows so far, in the order of the cases, and the table beside them."""
    ordered = [rows[name] for name in order if name in rows]
    of_logits = tuple(row for row in ordered if isinstance(row, LogitsRow))
    of_trained = tuple(row for row in ordered if isinstance(row, TrainedRow))
    results = PretrainedResults(
        logits=of_logits,
        trained=of_trained,
        targets=targets(of_logits, of_trained),
        **provenance(),
    )
    files.write_json(path, dataclasses.asdict(results))
    files.write_text(path.with_suffix(".md"), pretrained_table(results))


if __name__ == "__main__":
    main()
