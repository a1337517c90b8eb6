"""`asr-qat benchmark-input`."""

import argparse
from pathlib import Path

from asr_qat.commands.arguments import positive_float, positive_int


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("benchmark-input", help="time the input pipeline alone")
    parser.add_argument("--data", required=True, help="prepared folder")
    parser.add_argument("--threads", type=positive_int, default=1, help="of the pipeline")
    parser.add_argument(
        "--seconds", type=positive_float, default=20.0, help="to measure each row for"
    )
    parser.add_argument("--results", default="results", help="folder for input_throughput.json")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure, write `input_throughput.json` and print it."""
    import dataclasses

    from asr_qat import files
    from asr_qat.corpora.data_config import DataConfig
    from asr_qat.corpora.prepared import PreparedFolder
    from asr_qat.provenance import Provenance
    from experiments.benchmarks.input_throughput import input_throughput
    from experiments.benchmarks.rows import InputResults
    from tflite_export.score.rows import combine

    folder = PreparedFolder(args.data)
    config = DataConfig(batch_size=32, batch_seconds=480.0)
    figures = input_throughput(folder, config, args.seconds, args.threads, args.quiet)
    corpus = folder.corpus["description"]
    found = combine(InputResults, figures, Provenance.of_this_run(0), corpus=corpus)
    files.write_json(Path(args.results) / "input_throughput.json", dataclasses.asdict(found))
    for row in found.rows:
        print(
            f"{row.name:<28} {row.audio_hours_per_core_second:.3f} hours of audio per second "
            f"of one core, {row.audio_hours_per_second:.3f} per second of {args.threads} threads"
        )
