"""The `asr-qat` command."""

import importlib
import sys

from asr_qat.errors import exit_code
from asr_qat.parser import Parser

# Modules by command. They are imported by name: `study` spans training and device, and nothing
# in this package imports the device side.
COMMANDS = {
    "prepare": "asr_qat.commands.prepare",
    "train": "asr_qat.commands.train",
    "quantize": "asr_qat.commands.quantize",
    "sensitivity": "asr_qat.commands.sensitivity",
    "assign": "asr_qat.commands.assign",
    "check-assignment": "asr_qat.commands.check_assignment",
    "study": "tflite_export.commands.study",
    "summary": "asr_qat.commands.summary",
    "cost": "asr_qat.commands.cost",
    "benchmark": "asr_qat.commands.benchmark",
    "benchmark-input": "asr_qat.commands.benchmark_input",
    "benchmark-loss": "asr_qat.commands.benchmark_loss",
}


def build_parser() -> Parser:
    """The parser with every subcommand; each module defines its own arguments."""
    parser = Parser(prog="asr-qat", description="Train 4-bit speech recognisers.")
    subparsers = parser.add_subparsers(dest="command", required=True)
    for module in COMMANDS.values():
        importlib.import_module(module).add_parser(subparsers)
    return parser


def main() -> None:
    """Entry point of the console command."""
    sys.exit(exit_code("asr-qat", _run))


def _run() -> None:
    args = build_parser().parse_args()
    args.run(args)


if __name__ == "__main__":
    main()
