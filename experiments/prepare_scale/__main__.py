"""`python -m experiments.prepare_scale`: `prepare` by one and two workers, and over `s3://`."""

import argparse
import tempfile
from pathlib import Path

from asr_qat.commands.arguments import positive_int
from asr_qat.errors import exit_code
from asr_qat.parser import Parser
from asr_qat.remote_path import leave
from experiments.prepare_scale.measure import measure
from experiments.prepare_scale.table import prepare_scale_table
from experiments.reports.write import write_results


def main() -> None:
    """Entry point."""
    leave(exit_code("experiments.prepare_scale", _run))


def _run() -> None:
    parser = Parser(prog="experiments.prepare_scale", description=__doc__)
    parser.add_argument(
        "--data",
        type=Path,
        default=Path("../shared/data/librispeech_more/manifest.jsonl"),
        help="a manifest (default: %(default)s)",
    )
    parser.add_argument("--shards", type=positive_int, default=32, help="default: %(default)s")
    parser.add_argument(
        "--steps",
        type=int,
        default=40,
        help="of the trainings from disk and from s3://; 0 for none (default: %(default)s)",
    )
    parser.add_argument("--out", type=Path, default=Path("results/prepare_scale.json"))
    args: argparse.Namespace = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        found = measure(args.data, args.shards, args.steps, Path(work))
    write_results(found, args.out, prepare_scale_table)
    print(prepare_scale_table(found))


if __name__ == "__main__":
    main()
