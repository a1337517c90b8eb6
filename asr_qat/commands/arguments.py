"""Types of arguments that several subcommands take."""

import argparse
import math
from collections.abc import Callable
from typing import Any

from asr_qat import files
from asr_qat.parallel.workers import EXECUTORS, Workers


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


def add_skip_checksums(parser: argparse.ArgumentParser) -> None:
    """Add `--skip-checksums`, of commands that train."""
    parser.add_argument(
        "--skip-checksums",
        action="store_true",
        help="compare only the sizes of the shards with what was prepared, do not read them first",
    )


def add_workers(parser: argparse.ArgumentParser, jobs: str, number: int = 1) -> None:
    """Add the options of `Workers`.

    Args:
        parser: of the subcommand.
        jobs: that are done at once, in words.
        number: of processes, unless it is given.
    """
    parser.add_argument(
        "--workers", type=int, help=f"{jobs} (default: {number}; with ray: its cores)"
    )
    parser.add_argument(
        "--executor",
        choices=EXECUTORS,
        default="processes",
        help="what runs the workers (%(default)s)",
    )
    parser.add_argument(
        "--ray-address", help="of the cluster: auto or HOST:PORT (default: a new one here)"
    )


def workers(args: argparse.Namespace, number: int = 1, fresh: bool = False) -> Workers:
    """Where the command's jobs run. Raises `UserError` for arguments that do not fit.

    Args:
        args: of `add_workers`.
        number: of processes, unless it is given.
        fresh: see `Workers`.
    """
    if args.executor == "processes" and args.workers is None:
        return Workers(number=number, ray_address=args.ray_address, fresh=fresh)
    return Workers(args.executor, args.workers, args.ray_address, fresh)


def add_configuration(
    parser: argparse.ArgumentParser, kind: Callable[[], type], description: str
) -> None:
    """Add `--config`, the values that go before the file's, and what shows its keys.

    Args:
        parser: of the subcommand.
        kind: imports and returns the dataclass that the file is read as, see
            `asr_qat.config.load_yaml`; called where it is needed, since the import takes seconds.
        description: of the file.
    """
    parser.add_argument("--config", required=True, help=description)
    parser.add_argument(
        "--set",
        dest="settings",
        metavar="KEY=VALUE",
        nargs="+",
        action="extend",
        default=[],
        help="values that replace the file's, such as batches.batch_size=16",
    )
    parser.add_argument(
        "--keys",
        action=_Instead,
        nargs=0,
        do=lambda _: _print_keys(kind()),
        help="print all keys of the file with type, default and meaning, and exit",
    )
    parser.add_argument(
        "--schema",
        metavar="FILE",
        action=_Instead,
        do=lambda path: _write_schema(kind(), path),
        help="write a JSON schema of the file, with which editors check it, and exit",
    )


class _Instead(argparse.Action):
    """Does something and ends the program, as `--help` does: required options may be missing."""

    def __init__(self, do: Callable[[Any], None], **given: Any):
        super().__init__(default=argparse.SUPPRESS, **given)
        self._do = do

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        self._do(values)
        parser.exit()


def _print_keys(kind: type) -> None:
    from asr_qat.config_keys import keys_text

    print(keys_text(kind))


def _write_schema(kind: type, path: str) -> None:
    from asr_qat.config_schema import json_schema

    files.write_json(path, json_schema(kind))
