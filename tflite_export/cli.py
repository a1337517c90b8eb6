"""The `tflite-export` command."""

import os

from asr_qat import __version__
from asr_qat.commands.registry import command_modules
from asr_qat.errors import exit_code
from asr_qat.leftovers import own_temporary_files
from asr_qat.log import show_log
from asr_qat.output import accept_any_text
from asr_qat.parser import Parser
from asr_qat.remote_path import leave

COMMANDS = (
    "convert",
    "inspect",
    "verify",
    "evaluate",
    "transcribe",
    "listen",
    "serve",
    "page",
)


def build_parser() -> Parser:
    """The parser with every subcommand; each module defines its own arguments."""
    parser = Parser(
        prog="tflite-export", description="Convert, inspect, run and score .tflite recognisers."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    subparsers = parser.add_subparsers(dest="command", required=True)
    for module in command_modules("tflite_export.commands", COMMANDS):
        module.add_parser(subparsers)
    return parser


def main() -> None:
    """Entry point of the console command."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # of TensorFlow: nothing but errors
    accept_any_text()
    show_log()
    leave(exit_code("tflite-export", _run))


def _run() -> None:
    args = build_parser().parse_args()
    with own_temporary_files():
        args.run(args)


if __name__ == "__main__":
    main()
