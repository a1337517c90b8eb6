"""`tflite-export scale`."""

import argparse
from pathlib import Path

from tflite_export.commands.arguments import threads


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "scale", help="size, speed and memory of a preset, from initial weights"
    )
    parser.add_argument("--preset", default="L", choices=("S", "M", "L"))
    parser.add_argument("--tokenizer", required=True, help="SentencePiece model")
    parser.add_argument("--work", default="work/scale", help="folder for the files")
    parser.add_argument("--results", default="results", help="folder for scale.json")
    parser.add_argument("--threads", type=threads, default=1, help="CPU threads")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Write the files, run them, write `scale.json` and print a table."""
    from asr_qat import files
    from tflite_export.scale import scale

    content = scale(args.preset, args.tokenizer, args.work, args.threads, args.seed, args.quiet)
    files.write_json(Path(args.results) / "scale.json", content)
    print("file               MB  ratio      ms speed-up  peak MB of float")
    for row in content["rows"]:
        print(
            f"{row['name']:<12} {row['bytes'] / 1e6:8.1f} {row['ratio']:6.2f} "
            f"{row['latency_ms']:7.0f} {row['speedup']:8.2f} {row['peak_rss_mb']:8.0f} "
            f"{row['memory_ratio']:8.2f}"
        )
