"""`python -m experiments.fuzz`: give the product damaged and hostile input, and count."""

import argparse
import contextlib
import math
import sys
import time
from pathlib import Path

from asr_qat.config import load_json
from asr_qat.counted import counted
from asr_qat.errors import UserError, exit_code, require
from asr_qat.parser import Parser
from asr_qat.progress import progress
from asr_qat.provenance import provenance
from experiments.fuzz.harness import run
from experiments.fuzz.outcome import Outcome
from experiments.fuzz.registry import cases_of, module_of, names
from experiments.fuzz.rows import FuzzResults, InputRow, input_row
from experiments.fuzz.table import fuzz_table
from experiments.reports.write import write_results

PROGRAM = "experiments.fuzz"


def main() -> None:
    """Entry point."""
    sys.exit(exit_code(PROGRAM, _run))


def build_parser() -> Parser:
    """The parser of the command."""
    parser = Parser(prog=PROGRAM, description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results/fuzz.json"))
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="of the inputs; the rows of others are kept"
    )
    parser.add_argument(
        "--cases",
        default="",
        metavar="N",
        help="for each input, or NAME=N,NAME=N (default: what the results need)",
    )
    parser.add_argument("--seconds", type=float, help="for each input at most")
    parser.add_argument("--seed", type=int, default=0, help="of all cases (default: %(default)s)")
    parser.add_argument(
        "--case", type=int, metavar="NUMBER", help="repeat one case of --only NAME, write nothing"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def _run() -> None:
    args = build_parser().parse_args()
    chosen = _chosen(args.only)
    require(args.seed >= 0, f"--seed {args.seed}: expected 0 or more")
    if args.case is not None:
        _repeat(chosen, args)
        return
    about = provenance(args.seed)
    numbers = _numbers(args.cases, chosen)
    rows = {row.name: row for row in _kept(args)}
    for name in chosen:
        rows[name] = _measured(name, numbers[name], args, about["commit"])
    inputs = tuple(rows[name] for name in sorted(rows))
    found = FuzzResults(**about, inputs=inputs).with_targets()
    write_results(found, args.out, fuzz_table)
    wrong = sum(rows[name].wrong for name in chosen)
    require(wrong == 0, f"{counted(wrong, 'case')} went wrong, see above")


def _chosen(only: list[str] | None) -> list[str]:
    known = names()
    for name in only or ():
        require(name in known, f"--only {name}: expected {', '.join(known)}")
    return only or known


def _numbers(text: str, chosen: list[str]) -> dict[str, int]:
    """How many cases of each target are run."""
    numbers = {name: cases_of(name) for name in chosen}
    if text.isdecimal():
        return dict.fromkeys(chosen, int(text))
    for part in filter(None, text.split(",")):
        name, _, number = part.partition("=")
        if name not in names() or not number.isdecimal():
            raise UserError(f"--cases {part}: expected a number, or NAME=N of {', '.join(names())}")
        numbers[name] = int(number)
    return numbers


def _kept(args: argparse.Namespace) -> tuple[InputRow, ...]:
    """Rows of targets that are not run this time."""
    if not (args.only and args.out.exists()):
        return ()
    return load_json(args.out, FuzzResults).inputs


def _measured(name: str, number: int, args: argparse.Namespace, commit: str) -> InputRow:
    started = time.monotonic()
    end = started + (args.seconds or math.inf)
    found = []
    with contextlib.closing(run(module_of(name), range(number), args.seed)) as outcomes:
        for outcome in progress(outcomes, name, number, "case", args.quiet):
            found.append(outcome)
            if not outcome.kind.right:
                print(_described(name, args.seed, outcome), flush=True)
            if time.monotonic() > end:
                break
    row = input_row(name, found, time.monotonic() - started, args.seed, commit)
    print(f"{name}: {counted(row.cases, 'case')} in {row.seconds:.0f} s, {row.wrong} went wrong")
    return row


def _described(name: str, seed: int, outcome: Outcome) -> str:
    again = f"python -m {PROGRAM} --only {name} --seed {seed} --case {outcome.number}"
    return f"{name}: {outcome.kind.value} ({again})\n{outcome.detail}"


def _repeat(chosen: list[str], args: argparse.Namespace) -> None:
    require(len(chosen) == 1, f"--case {args.case}: of which input? add --only NAME")
    (outcome,) = run(module_of(chosen[0]), [args.case], args.seed)
    print(_described(chosen[0], args.seed, outcome))
    require(outcome.kind.right, f"case {args.case} went wrong")


if __name__ == "__main__":
    main()
