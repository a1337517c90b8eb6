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
