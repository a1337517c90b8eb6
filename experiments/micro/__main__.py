"""`python -m experiments.micro`: a full-integer file in TFLM's interpreter and through Vela."""

import dataclasses
import sys
from pathlib import Path

from asr_qat.errors import exit_code, require
from asr_qat.parser import Parser
from experiments.micro.measure import measure
from experiments.micro.rows import targets
from experiments.micro.table import micro_table
from experiments.reports.write import write_results

PROGRAM = "experiments.micro"
DEMO = "work/demo"


def main() -> None:
    """Entry point."""
    sys.exit(exit_code(PROGRAM, _run))


def build_parser() -> Parser:
    """The parser of the command."""
    parser = Parser(prog=PROGRAM, description=__doc__)
    parser.add_argument(
        "--model",
        type=Path,
        default=Path(f"{DEMO}/an4_tiny_w4a8"),
        help="CTC model directory (default: %(default)s, which `tflite-export demo` trains)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        default=Path(f"{DEMO}/an4_prepared"),
        help="prepared folder (default: %(default)s)",
    )
    parser.add_argument("--split", default="test", help="of it (default: %(default)s)")
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="of the signature (default: %(default)s)"
    )
    parser.add_argument(
        "--utterances", type=int, default=40, help="at most so many (default: %(default)s)"
    )
    parser.add_argument("--work", type=Path, default=Path("work/micro"))
    parser.add_argument("--out", type=Path, default=Path("results/micro.json"))
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def _run() -> None:
    args = build_parser().parse_args()
    require(args.utterances > 0, f"--utterances {args.utterances}: expected 1 or more")
    found = measure(
        *(args.model, args.data, args.split, args.seconds, args.utterances, args.work, args.quiet)
    )
    found = dataclasses.replace(found, targets=targets(found))
    print(write_results(found, args.out, micro_table), end="")


if __name__ == "__main__":
    main()
