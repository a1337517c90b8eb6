"""What `test_fresh_process` calls in a fresh process."""

import importlib
import os
import sys

from asr_qat.errors import UserError


def hold(megabytes: int) -> int:
    """Fill so much memory."""
    return len(bytearray(megabytes << 20))


def facts(name: str, numbers: tuple[float, ...] = ()) -> dict:
    """What the process is and was given; something is printed before."""
    print("a library says something")
    return {
        "given": [name, *numbers],
        "process": os.getpid(),
        "tensorflow": "tensorflow" in sys.modules,
    }


def fail(path: str) -> None:
    """Raise."""
    raise ValueError("too bad")


def refuse(path: str) -> None:
    """Raise an error that a user can mend."""
    raise UserError(f"{path}: damaged")


def imports_of(module: str) -> list[str]:
    """The packages that are loaded with a module."""
    importlib.import_module(module)
    return sorted({name.partition(".")[0] for name in sys.modules})
