"""`python -m experiments.server_capacity`: streams in time by cores, waits, memory of a session."""

import sys
from pathlib import Path

from asr_qat.commands.arguments import positive_float, positive_int
from asr_qat.config import load_json
from asr_qat.cores import usable_cores
from asr_qat.errors import exit_code, require
from asr_qat.parser import Parser
from asr_qat.provenance import provenance
from experiments.reports.write import write_results
from experiments.server_capacity.measure import Audios, measure_streams, measure_wait
from experiments.server_capacity.memory import measure_memory
from experiments.server_capacity.rows import CapacityResults, StreamsRow
from experiments.server_capacity.table import capacity_table
from tflite_export.runtime.live.live_model import load_model

STREAMS = {1: [8, 16, 24, 32, 48, 64], 2: [16, 32, 44, 48, 64, 96, 128]}


def build_parser() -> Parser:
    """Its options."""
    parser = Parser(prog="experiments.server_capacity", description=__doc__)
    parser.add_argument("file", help=".tflite of a live model")
    parser.add_argument("--data", default="work/an4", help="prepared folder (default: %(default)s)")
    parser.add_argument("--split", default="test", help="of it (default: %(default)s)")
    parser.add_argument(
        "--cores", type=positive_int, nargs="+", default=[1, 2], help="(default: 1 2)"
    )
    parser.add_argument(
        "--streams",
        type=positive_int,
        nargs="+",
        help="at the same time; a number of cores ends with the first that is late (default: "
        "8 to 64 on one core, 16 to 128 on more)",
    )
    parser.add_argument("--seconds", type=positive_float, default=20.0, help="of each (20)")
    parser.add_argument("--chunk-ms", type=positive_int, default=120, help="of a message (120)")
    parser.add_argument(
        "--hours", type=positive_float, default=1.0, help="of audio through one session (1)"
    )
    parser.add_argument(
        "--keep-memory",
        action="store_true",
        help="take that of OUT, from a run before",
    )
    parser.add_argument("--out", type=Path, default=Path("results/server_capacity.json"))
    parser.add_argument("--quiet", action="store_true", help="no progress")
    return parser


def main() -> None:
    """Entry point."""
    sys.exit(exit_code("experiments.server_capacity", _run))


def _run() -> None:
    args = build_parser().parse_args()
    there = usable_cores()
    require(max(args.cores) <= there, f"--cores {max(args.cores)}: {there} are there")
    model = load_model(args.file)
    memory = (
        load_json(args.out, CapacityResults).memory
        if args.keep_memory
        else measure_memory(model, args.data, args.split, args.hours, args.chunk_ms, args.quiet)
    )
    audios = Audios(model, args.data, args.split, args.seconds, args.chunk_ms)
    rows: list[StreamsRow] = []
    for cores in args.cores:
        for streams in args.streams or STREAMS[min(cores, max(STREAMS))]:
            row = measure_streams(args.file, audios, cores, streams)
            rows.append(row)
            print(_line(row), flush=True)
            if not row.in_time(args.chunk_ms):
                break
    found = CapacityResults(
        **provenance(),
        file=Path(args.file).name,
        data=f"{Path(args.data).name} ({args.split})",
        chunk_ms=args.chunk_ms,
        seconds=args.seconds,
        streams=tuple(rows),
        wait=measure_wait(args.file, audios),
        memory=memory,
    ).with_targets()
    write_results(found, args.out, capacity_table)


def _line(row: StreamsRow) -> str:
    return (
        f"cores {row.cores}, streams {row.streams}: answers p95 {row.answer_ms.p95:.0f} ms, "
        f"chunks p95 at most {row.chunk_ms_p95:.0f} ms, {row.same_words} with the same words, "
        f"longest wait {row.longest_wait_s:.2f} s; cores used {row.server_cores:.2f} + "
        f"{row.speakers_cores:.2f} + {row.hostile_cores:.2f}"
    )


if __name__ == "__main__":
    main()
