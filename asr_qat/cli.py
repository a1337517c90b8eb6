"""The `asr-qat` command."""

import argparse
import importlib
import sys

from asr_qat.errors import exit_code

COMMANDS = ("prepare", "train", "quantize", "benchmark")


def build_parser() -> argparse.ArgumentParser:
    """The parser with every subcommand; each module defines its own arguments."""
    parser = argparse.ArgumentParser(prog="asr-qat", description="Train 4-bit speech recognisers.")
    subparsers = parser.add_subparsers(dest="command", required=True)
    for name in COMMANDS:
        importlib.import_module(f"asr_qat.commands.{name}").add_parser(subparsers)
    return parser


def main() -> None:
    """Entry point of the console command."""
    args = build_parser().parse_args()
    sys.exit(exit_code("asr-qat", lambda: args.run(args)))


if __name__ == "__main__":
    main()
