"""`asr-qat train`."""

import argparse

from asr_qat.commands.arguments import add_configuration, add_skip_checksums


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser("train", help="train a model from a configuration file")
    add_configuration(parser, configuration, "YAML file, see configs/")
    parser.add_argument("--data", help="prepared folder, instead of the configuration's")
    parser.add_argument("--output", help="model directory, instead of the configuration's")
    add_skip_checksums(parser)
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def configuration() -> type:
    """What the configuration file is read as."""
    from asr_qat.training.config import TrainConfig

    return TrainConfig


def run(args: argparse.Namespace) -> None:
    """Train, or resume where an interrupted training of the same output stopped."""
    from asr_qat.config import load_yaml, override
    from asr_qat.training.config import TrainConfig
    from asr_qat.training.run import train

    config = load_yaml(args.config, TrainConfig, args.settings)
    config = override(config, data=args.data, output=args.output)
    train(config, args.quiet, not args.skip_checksums)
    if not args.quiet:
        print_saved(config.output)


def print_saved(output: str) -> None:
    """Say where the model is, and what makes a file of it; of several workers one says so."""
    from asr_qat.training.distribution import is_chief

    if is_chief():
        print(
            f"{output}: saved: `tflite-export convert {output} -o FILE.tflite` makes a file of it"
        )
