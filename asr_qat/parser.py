"""The argument parser of both commands."""

import argparse
from typing import Any, NoReturn

from asr_qat.errors import UserError


class Parser(argparse.ArgumentParser):
    """Raises `UserError` for wrong arguments, where argparse prints the whole usage and exits.

    Its subparsers do the same.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Take what argparse takes; an option is not to be shortened."""
        super().__init__(**{"allow_abbrev": False, **kwargs})

    def error(self, message: str) -> NoReturn:
        """Called by argparse with what is wrong."""
        raise UserError(f"{message}: see `{self.prog} --help`")

    def add_subparsers(self, **kwargs: Any) -> Any:
        """As argparse's; the one line that lists a subcommand also opens its own help."""
        return super().add_subparsers(**{"action": _Subcommands, **kwargs})


class _Subcommands(argparse._SubParsersAction):
    """Adds parsers that are described by their `help`, if by nothing else."""

    def add_parser(self, name: str, **kwargs: Any) -> Any:
        """Take what argparse takes."""
        line = kwargs.get("help")
        described = {} if line is None else {"description": f"{line[0].upper()}{line[1:]}."}
        return super().add_parser(name, **{**described, **kwargs})
