"""`asr-qat benchmark`."""

import argparse
from pathlib import Path

from asr_qat.commands.arguments import positive_float, positive_int


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("benchmark", help="time float and quantized training steps")
    parser.add_argument("--preset", default="tiny", choices=("tiny", "S", "M", "L"))
    parser.add_argument("--precision", default="w4a8")
    parser.add_argument("--batch", type=positive_int, default=8, help="utterances in the batch")
    parser.add_argument("--seconds", type=positive_float, default=3.0, help="of audio in each")
    parser.add_argument("--rounds", type=positive_int, default=30, help="timed steps of each")
    parser.add_argument("--results", default="results", help="folder for the result")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Time, write `training_cost.json` (`_m.json` for M, and so on) and print it."""
    import dataclasses

    from asr_qat import files
    from asr_qat.provenance import Provenance
    from experiments.benchmarks.rows import StepResults
    from experiments.benchmarks.training_step import benchmark
    from tflite_export.score.rows import combine

    figures = benchmark(
        args.preset, args.precision, args.batch, args.seconds, args.rounds, quiet=args.quiet
    )
    suffix = "" if args.preset == "tiny" else f"_{args.preset.lower()}"
    path = Path(args.results) / f"training_cost{suffix}.json"
    found = combine(StepResults, figures, Provenance.of_this_run(0))
    files.write_json(path, dataclasses.asdict(found))
    for row in found.rows:
        print(
            f"{row.name:<12} {row.step_ms:7.1f} ms a step, {row.cost:.2f} times float "
            f"({row.cost_min:.2f} to {row.cost_max:.2f}), "
            f"{row.audio_seconds_per_second:.0f} s of audio a second"
        )
    print("native step, kernels by time:")
    for kernel in found.profile:
        print(f"  {kernel.share:6.1%} {kernel.ms:7.2f} ms  {kernel.kernel}")
