"""`asr-qat benchmark-loss`."""

import argparse
from pathlib import Path

from asr_qat.commands.arguments import positive_int


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "benchmark-loss",
        help="time, memory and exactness of the transducer loss",
        description="Time, memory and exactness of the transducer loss, beside a naive version "
        "and, where it is installed (pip install torch==2.11.0 torchaudio==2.11.0), torchaudio's.",
    )
    parser.add_argument("--rounds", type=positive_int, default=15, help="timed steps of each")
    parser.add_argument("--results", default="results", help="folder for transducer_loss.json")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure, write `transducer_loss.json` and print it."""
    import dataclasses

    from asr_qat import files
    from asr_qat.provenance import Provenance
    from experiments.benchmarks.loss import benchmark_loss
    from experiments.benchmarks.loss_cases import one_thread
    from experiments.benchmarks.rows import LossResults
    from tflite_export.score.rows import combine

    one_thread()
    figures = benchmark_loss(rounds=args.rounds, quiet=args.quiet)
    found = combine(LossResults, figures, Provenance.of_this_run(0))
    files.write_json(Path(args.results) / "transducer_loss.json", dataclasses.asdict(found))
    print(
        f"largest error: brute force {found.brute_force_max_error:.1e} nats, gradient "
        f"by finite differences {found.finite_difference_max_error:.1e}"
    )
    for rows, base in ((found.rows, "naive"), (found.joint_rows, "unfused")):
        print(f"{'':<20} batch time labels classes {'ms':>9} {'MB':>6}  times as fast as {base}")
        for row in rows:
            print(
                f"{row.implementation:<20} {row.batch:5} {row.time:4} {row.labels:6} "
                f"{row.classes:7} {row.median_ms:9.1f} {row.peak_mb:6.0f} {row.speed:6.2f}"
            )
