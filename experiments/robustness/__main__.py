"""`python -m experiments.robustness`: files on quieter and louder recordings, and on an offset."""

import sys
from pathlib import Path

from asr_qat.corpora.recordings import recordings
from asr_qat.errors import exit_code
from asr_qat.parser import Parser
from asr_qat.provenance import provenance
from experiments.reports.write import write_results
from experiments.robustness.measure import measure
from experiments.robustness.rows import RobustnessResults
from experiments.robustness.table import robustness_table


def main() -> None:
    """Entry point."""
    sys.exit(exit_code("experiments.robustness", _run))


def _run() -> None:
    parser = Parser(prog="experiments.robustness", description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, help=".tflite files of any kind")
    parser.add_argument("--data", default="work/an4", help="prepared folder (default: %(default)s)")
    parser.add_argument("--split", default="test", help="of it (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/robustness.json"))
    args = parser.parse_args()
    items = recordings(args.data, args.split)
    found = RobustnessResults(
        **provenance(),
        data=f"{Path(args.data).name} ({args.split})",
        models=tuple(measure(path, items) for path in args.files),
    ).with_targets()
    write_results(found, args.out, robustness_table)


if __name__ == "__main__":
    main()
