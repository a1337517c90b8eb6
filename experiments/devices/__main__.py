"""`python -m experiments.devices`: files of every precision on emulated ARM and x86 processors.

What is fetched, converted and measured is kept in the folder of `--work`: a run that was
interrupted goes on.
"""

import dataclasses
import sys
from pathlib import Path

from asr_qat.errors import exit_code
from asr_qat.parser import Parser
from asr_qat.provenance import Provenance
from experiments.devices.cpus import CPUS, I8MM, cpus
from experiments.devices.measure import PRECISIONS, measure, prepare_files, whole_test
from experiments.devices.rows import DevicesResults, targets
from experiments.devices.table import devices_table
from experiments.reports.write import write_results

PROGRAM = "experiments.devices"
NAMES = tuple(cpu.name for cpu in CPUS)


def main() -> None:
    """Entry point."""
    sys.exit(exit_code(PROGRAM, _run))


def build_parser() -> Parser:
    """The parser of the command."""
    parser = Parser(prog=PROGRAM, description=__doc__.splitlines()[0])
    parser.add_argument("--cpu", nargs="+", choices=NAMES, default=NAMES, help="emulated ones")
    parser.add_argument(
        "--precision", nargs="+", choices=PRECISIONS, default=PRECISIONS, help="of the files"
    )
    parser.add_argument("--data", default="work/demo/an4_prepared", help="prepared AN4")
    parser.add_argument(
        "--trained",
        type=Path,
        default=Path("work/demo/an4_tiny/int4_qat.tflite"),
        help="the trained w4a8 file (default: that of the demo, %(default)s)",
    )
    parser.add_argument("--work", type=Path, default=Path("work/devices"))
    parser.add_argument("--out", type=Path, default=Path("results/devices.json"))
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def _run() -> None:
    args = build_parser().parse_args()
    paths = prepare_files(args.precision, args.work, args.trained, args.data, args.quiet)
    rows = measure(args.cpu, paths, args.work, args.quiet)
    whole = None
    for cpu in cpus([I8MM] if I8MM in args.cpu else []):
        whole = whole_test(cpu, args.work, args.trained, args.data)
    found = DevicesResults(
        **vars(Provenance.of_this_run(0)),
        data=f"{Path(args.data).name} (test)",
        rows=rows,
        whole=whole,
    )
    found = dataclasses.replace(found, targets=targets(found))
    print(write_results(found, args.out, devices_table), end="")


if __name__ == "__main__":
    main()
