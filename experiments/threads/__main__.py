"""`python -m experiments.threads`: one recogniser in many threads, and its checksum's time."""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np

from asr_qat.cores import usable_cores
from asr_qat.corpora.recordings import recordings
from asr_qat.errors import exit_code, require
from asr_qat.parser import Parser
from asr_qat.provenance import Provenance
from experiments.reports.write import write_results
from experiments.threads.calls import thread_rows
from experiments.threads.loading import load_row
from experiments.threads.rows import CHECKSUM_MB, ThreadsResults, ThreadsRow
from experiments.threads.table import threads_table
from tflite_export.runtime.metadata import read_metadata

PROGRAM = "experiments.threads"
MODELS = ("an4_tiny_float", "an4_tiny_transducer_float", "an4_live_float")
SHORTEST = 40  # recordings
SIZES_MB = (CHECKSUM_MB, 330)
ROUNDS = 11


def main() -> None:
    """Entry point."""
    sys.exit(exit_code(PROGRAM, _run))


def build_parser() -> Parser:
    """The parser of the command."""
    parser = Parser(prog=PROGRAM, description=__doc__)
    parser.add_argument(
        "files", nargs="*", type=Path, help=".tflite files (default: the shipped models at w4a8)"
    )
    parser.add_argument("--data", default="work/an4", help="prepared folder (default: %(default)s)")
    parser.add_argument("--split", default="test", help="of it (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=16, help="that call (default: 16)")
    parser.add_argument("--calls", type=int, default=1000, help="of each file (default: 1000)")
    parser.add_argument("--work", type=Path, default=Path("work/threads"))
    parser.add_argument("--out", type=Path, default=Path("results/threads.json"))
    return parser


def _run() -> None:
    args = build_parser().parse_args()
    require(args.threads > 1, f"--threads {args.threads}: expected 2 or more")
    require(args.calls > 0, f"--calls {args.calls}: expected 1 or more")
    args.work.mkdir(parents=True, exist_ok=True)
    paths = args.files or [_converted(name, args.work) for name in MODELS]
    items = recordings(args.data, args.split)
    rate = read_metadata(paths[0]).front_end.sample_rate
    heard = sorted((item.read(rate) for item in items), key=len)[:SHORTEST]
    loads = [load_row(paths[0], mb, ROUNDS, args.work) for mb in SIZES_MB]
    rows: list[ThreadsRow] = []
    for path in paths:
        print(f"== {path}", flush=True)
        rows += thread_rows(path, heard, args.calls, _settings(args))
    found = ThreadsResults(
        **vars(Provenance.of_this_run()),
        data=f"{Path(args.data).name} ({args.split})",
        recordings=len(heard),
        audio_seconds=float(np.mean([len(audio) for audio in heard])) / rate,
        rows=tuple(rows),
        loads=tuple(loads),
    ).with_targets()
    print(write_results(found, args.out, threads_table), end="")


def _settings(args: argparse.Namespace) -> list[tuple[int, int]]:
    """Threads and calls at a time: one interpreter, and one for each core."""
    return [(args.threads, parallel) for parallel in sorted({1, usable_cores()})]


def _converted(name: str, work: Path) -> Path:
    """The file of a shipped model, made in a process of its own, which loads TensorFlow."""
    path = work / f"{name.removesuffix('_float')}.tflite"
    if not path.exists():
        command = [sys.executable, "-m", "tflite_export.cli", "convert", f"models/{name}"]
        command += ["--precision", "w4a8", "--quiet", "-o", str(path)]
        done = subprocess.run(command, capture_output=True, text=True)
        require(done.returncode == 0, f"models/{name}: not converted: {done.stderr[-300:]}")
    return path


if __name__ == "__main__":
    main()
