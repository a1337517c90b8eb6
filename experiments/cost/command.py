"""`asr-qat cost`."""

import argparse
from pathlib import Path

from asr_qat.commands.arguments import positive_int

PRESETS, STAGES = ("S", "M", "L"), ("float", "w4a8")


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "cost",
        help="estimate hours and cost of training on LibriSpeech",
        description="Estimate hours and cost of training transducers on 960 h with 8 GPUs, from "
        "counted operations and steps timed here. Lengths of utterances are LibriSpeech's: the "
        "folder --data, else $ASR_QAT_DATA/LibriSpeech, else a download of 7 GB.",
    )
    parser.add_argument("--data", help="folder that holds training parts of LibriSpeech")
    parser.add_argument("--tokenizer", help="SentencePiece model (default: learn 1,024 pieces)")
    parser.add_argument("--configs", default="configs", help="folder of librispeech_*.yaml")
    parser.add_argument("--rounds", type=positive_int, default=5, help="timed steps of each")
    parser.add_argument("--threads", type=positive_int, default=1, help="CPU threads")
    parser.add_argument(
        "--results", default="results", help="folder for training_cost_librispeech.json and .md"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure, estimate, write the page and print it."""
    import dataclasses

    import tensorflow as tf

    from asr_qat import files
    from asr_qat.config import load_yaml
    from asr_qat.corpora.transcript_lengths import measure_lengths
    from asr_qat.provenance import Provenance
    from asr_qat.training.config import TrainConfig
    from experiments.cost.cost_estimate import SECONDS, estimate, measure_steps
    from experiments.cost.cost_page import cost_page
    from experiments.cost.cost_rows import CostResults, MeanLengths
    from tflite_export.score.rows import combine

    stages = {
        (preset, stage): load_yaml(
            Path(args.configs) / f"librispeech_{preset.lower()}_{stage}.yaml", TrainConfig
        )
        for preset in PRESETS
        for stage in STAGES
    }
    tf.config.threading.set_intra_op_parallelism_threads(args.threads)
    tf.config.threading.set_inter_op_parallelism_threads(args.threads)
    lengths = measure_lengths(args.data, args.tokenizer, quiet=args.quiet)
    labels = round(lengths.labels_per_second * SECONDS)
    step = measure_steps(args.rounds, labels, args.threads, args.quiet)
    found = combine(
        CostResults,
        estimate(stages, lengths, step.native_cost),
        Provenance.of_this_run(0),
        measured_step=step,
        lengths=MeanLengths(
            corpus=lengths.corpus,
            utterances=len(lengths.seconds),
            seconds=float(lengths.seconds.mean()),
            labels=float(lengths.labels.mean()),
            vocabulary=lengths.tokenizer.vocab_size,
        ),
    )
    page = cost_page(found)
    written = Path(args.results) / "training_cost_librispeech.json"
    files.write_json(written, dataclasses.asdict(found))
    files.write_text(Path(args.results) / "training_cost_librispeech.md", page)
    print(page, end="")
