"""`python -m experiments.runtimes`: files of each precision in every version of LiteRT.

Each version is installed into a folder of its own and runs in processes of its own; what was found
before is kept in `--work`.
"""

import sys
from importlib.metadata import version
from pathlib import Path

from asr_qat.errors import exit_code, require
from asr_qat.parser import Parser
from asr_qat.progress import progress
from asr_qat.provenance import Provenance
from experiments.made_from import require_made_from
from experiments.reports.write import write_results
from experiments.runtimes.install import LITERT, versions
from experiments.runtimes.matrix import Runtime, compute, row_of, runtimes
from experiments.runtimes.precision_files import SEED, product_of, write_files
from experiments.runtimes.rows import INTERPRETER, RuntimesResults
from experiments.runtimes.table import runtimes_table

PROGRAM = "experiments.runtimes"
MODEL = "models/an4_tiny_float"
PRECISIONS = (
    *("float", "w8", "w4", "w2", "w8a8", "w4a8", "w3a8", "w2a8", "w1a8"),
    *("w4a8-b32", "w2a8-b32", "w2a8-asym", "w8a8s", "w4a8s", "w2a8s"),
)


def main() -> None:
    """Entry point."""
    sys.exit(exit_code(PROGRAM, _run))


def build_parser() -> Parser:
    """The parser of the command."""
    parser = Parser(prog=PROGRAM, description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=MODEL, help="model directory (default: %(default)s)")
    parser.add_argument(
        "--data",
        default="work/demo/an4_prepared",
        help="speech for the ranges of static activations (default: %(default)s)",
    )
    parser.add_argument(
        "--precision", nargs="+", default=PRECISIONS, help="names (default: all that are exported)"
    )
    parser.add_argument(
        "--versions", nargs="+", help="of LiteRT (default: all that can be installed)"
    )
    parser.add_argument("--work", type=Path, default=Path("work/runtimes"))
    parser.add_argument("--out", type=Path, default=Path("results/runtimes.json"))
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def _run() -> None:
    args = build_parser().parse_args()
    chosen = args.versions or versions()
    reference = Runtime(LITERT, version(LITERT), INTERPRETER)
    require(
        reference.version in chosen,
        f"--versions: {reference.version}, with which the others are compared, is not among them",
    )
    require_made_from(args.model, args.work)
    paths = write_files(args.model, args.data, args.precision, args.work / "files")
    every = [*map(product_of, paths), *paths]
    compute(reference, every, args.work)
    rows = []
    pairs = runtimes(chosen)
    for runtime in progress(pairs, "run", len(pairs), "runtime", args.quiet):
        said = compute(runtime, every, args.work)
        rows += [row_of(runtime, reference, path, said, args.work) for path in paths]
    found = RuntimesResults(
        **vars(Provenance.of_this_run(SEED)),
        model=args.model,
        reference=reference.version,
        rows=tuple(rows),
    ).with_targets()
    print(write_results(found, args.out, runtimes_table), end="")


if __name__ == "__main__":
    main()
