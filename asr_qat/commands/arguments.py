"""Types of arguments that several subcommands take."""

import argparse
import math


def positive_int(word: str) -> int:
    """An integer of 1 or more."""
    try:
        value = int(word)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"'{word}' is not a whole number of 1 or more")
    return value


def positive_float(word: str) -> float:
    """A number above 0."""
    try:
        value = float(word)
    except ValueError:
        value = 0.0
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"'{word}' is not a number above 0")
    return value


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add `--set`, see `asr_qat.config.load_yaml`."""
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="KEY=VALUE",
        nargs="+",
        default=[],
        help="values in the place of the file's, such as batches.batch_size=16",
    )
