"""The subcommands of a program: its own, and those that installed packages add to it.

A package adds a subcommand by an entry point in the group `asr_qat.commands` or
`tflite_export.commands` whose value is a module with `add_parser(subparsers)`; see `setup.cfg`.
"""

import importlib
import importlib.metadata
from collections.abc import Iterable, Iterator
from types import ModuleType

DISTRIBUTION = "asr-qat"


def command_modules(package: str, names: Iterable[str]) -> Iterator[ModuleType]:
    """The modules of the subcommands: first those of `package`, then those that were added.

    Args:
        package: such as `asr_qat.commands`, also the name of the group of entry points.
        names: of its own modules.
    """
    for name in names:
        yield importlib.import_module(f"{package}.{name}")
    try:
        # Of this distribution alone: to look through all that is installed takes longer than
        # everything else that `--help` does.
        added = importlib.metadata.distribution(DISTRIBUTION).entry_points.select(group=package)
    except importlib.metadata.PackageNotFoundError:
        return  # run from a checkout that is not installed
    for entry in added:
        try:
            yield entry.load()
        except ModuleNotFoundError as error:
            # The wheel leaves out the experiments that only the repository's results need.
            if not (error.name or "").startswith("experiments"):
                raise
