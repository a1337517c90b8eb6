"""A function called in a process of its own: what it returns, and the peak of its memory.

`python -m tflite_export.score.fresh_process MODULE FUNCTION JSON` is that process. It imports
what the function's module imports and nothing of its parent, whose memory it does not share.
"""

import importlib
import inspect
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

from asr_qat.errors import UserError

P = ParamSpec("P")
PEAK, RESIDENT, ANONYMOUS = "VmHWM", "VmRSS", "RssAnon"  # of a process, see proc(5)


def peak_memory_mb(function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> float:
    """Call `function` in a fresh process: the most memory that it had, in MB (2^20).

    Python and the modules that the function's own imports are included.

    Args:
        function: one that a module defines at its top.
        args: whatever JSON can hold, and paths; errors name the first one.
        kwargs: the same.

    Raises:
        UserError: it failed, with the last line it said.
    """
    return _answer(function, *args, **kwargs)["peak_mb"]


def result_of(function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> Any:
    """Call `function` in a fresh process: what it returned, as JSON gives it back.

    Arguments and errors are those of `peak_memory_mb`.
    """
    return _answer(function, *args, **kwargs)["result"]


def memory_mb(entry: str) -> float:
    """An entry of this process's status, `PEAK`, `RESIDENT` or `ANONYMOUS`, in MB (2^20).

    Not the `ru_maxrss` of getrusage(2): a process starts with that of its parent.
    """
    status = Path("/proc/self/status").read_text(encoding="ascii")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return int(fields[entry].split()[0]) / 1024


def _answer(function: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> dict[str, Any]:
    given = inspect.signature(function).bind(*args, **kwargs).arguments
    words = [function.__module__, function.__qualname__, json.dumps(given, default=str)]
    command = [sys.executable, "-m", __name__, *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"ended with exit code {done.returncode}"]
        mendable, _, message = lines[-1].rpartition(f"{UserError.__qualname__}: ")
        first = next(iter(given.values()), function.__name__)
        raise UserError(message if mendable else f"{first}: {lines[-1]}")
    return json.loads(done.stdout.splitlines()[-1])


def _main(module: str, name: str, arguments: str) -> None:
    """Call the function; print its result and the peak of the memory as one line of JSON."""
    function = getattr(importlib.import_module(module), name)
    result = function(**json.loads(arguments))
    print(json.dumps({"result": result, "peak_mb": memory_mb(PEAK)}))


if __name__ == "__main__":
    _main(*sys.argv[1:])
