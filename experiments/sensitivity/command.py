"""`asr-qat sensitivity`."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asr_qat.commands.arguments import positive_int

if TYPE_CHECKING:
    from experiments.sensitivity.layer_sensitivity import LayerSensitivity


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "sensitivity",
        help="measure what fewer bits do to each layer",
        description="Round the weights of one layer of a float model at a time and measure how "
        "far that moves the model on development data. `asr-qat assign` reads the result.",
    )
    parser.add_argument("--model", required=True, help="float model directory")
    parser.add_argument("--data", required=True, help="prepared folder")
    parser.add_argument(
        "--precisions",
        nargs="+",
        default=["w8a8", "w4a8", "w2a8"],
        help="to choose from (default: w8a8 w4a8 w2a8)",
    )
    parser.add_argument("--split", default="dev", help="of the folder (default: dev)")
    parser.add_argument("--utterances", type=positive_int, help="about how many (default: all)")
    parser.add_argument("--out", required=True, help="JSON file to write")
    parser.add_argument("--plot", help="PNG file to draw, too")
    parser.add_argument("--table", help="Markdown file of the parts to write, too")
    parser.add_argument("--quiet", action="store_true", help="no progress, no table")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Measure, write the file, draw it, print a table."""
    from asr_qat import files
    from asr_qat.corpora.prepared import PreparedFolder
    from asr_qat.models.model_directory import Recogniser, weights_checksum
    from experiments.sensitivity.layer_sensitivity import Source
    from experiments.sensitivity.measure_sensitivity import measure_sensitivity

    folder = PreparedFolder(args.data)
    sensitivity = measure_sensitivity(
        Recogniser.load(args.model),
        folder,
        tuple(args.precisions),
        args.split,
        args.utterances,
        args.quiet,
    )
    source = Source(args.model, weights_checksum(args.model), folder.corpus["name"], args.split)
    sensitivity.write(args.out, source)
    if args.plot:
        from experiments.sensitivity.sensitivity_report import write_sensitivity_plot

        write_sensitivity_plot(args.plot, sensitivity)
    if args.table:
        from experiments.sensitivity.sensitivity_report import parts_table

        files.write_text(args.table, parts_table(sensitivity, source))
    if args.quiet:
        return
    _print_table("layer alone", sensitivity.rows, args.precisions)
    print()
    _print_table("part as a whole", sensitivity.parts, args.precisions)


def _print_table(title: str, rows: "Sequence[LayerSensitivity]", precisions: Sequence[str]) -> None:
    print(f"{title + ', nats an utterance':<32}" + "".join(f"{name:>12}" for name in precisions))
    for layer in dict.fromkeys(row.layer for row in rows):
        own = {row.precision: row.divergence for row in rows if row.layer == layer}
        print(f"{layer:<32}" + "".join(f"{own[name]:12.5f}" for name in precisions))
