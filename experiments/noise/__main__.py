"""`python -m experiments.noise`: the demo's files on clean recordings and in noise."""

import sys
from pathlib import Path

from asr_qat.corpora.recordings import recordings
from asr_qat.errors import exit_code, require
from asr_qat.parser import Parser
from asr_qat.provenance import provenance
from experiments.demo.demo import TRAINED
from experiments.noise.measure import files_of_demo, live_files, measure
from experiments.noise.rows import NoiseResults
from experiments.noise.table import noise_table
from experiments.reports.write import write_results

DEMO = "work/demo"


def main() -> None:
    """Entry point."""
    sys.exit(exit_code("experiments.noise", _run))


def _run() -> None:
    parser = Parser(prog="experiments.noise", description=__doc__)
    parser.add_argument(
        "folders",
        nargs="*",
        type=Path,
        default=[Path(f"{DEMO}/an4_tiny")],
        help=f"with the .tflite files of `tflite-export demo` (default: {DEMO}/an4_tiny)",
    )
    parser.add_argument(
        "--live",
        nargs=2,
        type=Path,
        metavar=("FLOAT", "QUANTIZED"),
        help=".tflite files of a live model, scored too, both passes",
    )
    parser.add_argument(
        "--data", default=f"{DEMO}/an4_prepared", help="prepared folder (default: %(default)s)"
    )
    parser.add_argument("--split", default="test", help="of it (default: %(default)s)")
    parser.add_argument("--draws", type=int, default=3, help="of each noise (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("results/noise.json"))
    parser.add_argument("--quiet", action="store_true", help="no progress")
    args = parser.parse_args()
    require(1 <= args.draws <= 1000, f"--draws {args.draws}: expected 1 to 1000")
    items = recordings(args.data, args.split)
    groups = [files_of_demo(folder) for folder in args.folders]
    groups += [live_files(*args.live)] if args.live else []
    rows = [measure(group, items, args.draws, args.quiet) for group in groups]
    found = NoiseResults(
        **provenance(seed=0),
        data=f"{Path(args.data).name} ({args.split})",
        utterances=len(items),
        words=sum(len(item.text.split()) for item in items),
        draws=args.draws,
        trained=TRAINED.name,
        rows=tuple(row for some in rows for row in some),
    ).with_targets()
    write_results(found, args.out, noise_table)
    print(noise_table(found))


if __name__ == "__main__":
    main()
