"""`asr-qat quantize`."""

import argparse

from asr_qat import files
from asr_qat.commands.arguments import add_configuration, add_skip_checksums
from asr_qat.commands.train import configuration, print_saved
from asr_qat.errors import UserError


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("quantize", help="continue training a float model, quantized")
    parser.add_argument("--model", help="float model directory, instead of the file's `start`")
    add_configuration(parser, configuration, "YAML file as for `asr-qat train`")
    parser.add_argument("--precision", help="such as w4a8, instead of the file's")
    parser.add_argument("--mode", choices=("native", "fake"), help="instead of the file's")
    parser.add_argument("--steps", type=int, help="updates in all, instead of the file's")
    parser.add_argument("--data", help="prepared folder, instead of the file's")
    parser.add_argument("--output", help="model directory to write, instead of the file's")
    add_skip_checksums(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> None:
    """Quantize a float model and train it, or resume where that was interrupted."""
    from asr_qat.config import load_yaml, override
    from asr_qat.quantize.apply import QuantizationConfig
    from asr_qat.training.config import TrainConfig
    from asr_qat.training.run import train

    config = override(
        load_yaml(args.config, TrainConfig, args.settings),
        start=args.model,
        steps=args.steps,
        data=args.data,
        output=args.output,
    )
    if config.quantization is None and args.precision is None:
        raise UserError(f"{args.config}: key 'quantization' is missing: add it or give --precision")
    quantization = override(
        config.quantization or QuantizationConfig(), precision=args.precision, mode=args.mode
    )
    if config.start is None:
        raise UserError(f"{args.config}: key 'start' is missing: add it or give --model")
    if files.place(config.start).resolve() == files.place(config.output).resolve():
        raise UserError(f"{config.output}: is the float model itself: choose another --output")
    config = override(config, quantization=quantization)
    train(config, args.quiet, not args.skip_checksums)
    if not args.quiet:
        print_saved(config.output)
