"""`tflite-export convert`."""

import argparse


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("convert", help="write the .tflite of a model directory")
    parser.add_argument("model", help="model directory of asr-qat train or quantize")
    parser.add_argument(
        "--precision",
        help="float, w8a8, w4a8, w2a8, w8, w4, w2, mixed_4_8 or two_bit; a float model is "
        "quantized after training (default: as it was trained)",
    )
    parser.add_argument("-o", "--output", required=True, help="file to write")
    parser.add_argument(
        "--seconds",
        type=float,
        nargs="+",
        help="utterance lengths that get a signature of their own; longer ones are cut into "
        "overlapping windows of the longest (default: 4 16)",
    )
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Convert."""
    from tflite_export.convert import DEFAULT_SECONDS, convert

    seconds = tuple(args.seconds or DEFAULT_SECONDS)
    convert(args.model, args.output, args.precision, seconds)
