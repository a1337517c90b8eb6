"""Work done in a process of its own: what it found, and its peak memory."""

import json
import subprocess
import sys
from typing import Any

from asr_qat.errors import UserError

PEAK = """
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(status["VmHWM"].split()[0])  # not getrusage: that includes the parent before exec
"""


def peak_memory_mb(program: str, *words: object) -> float:
    """Run Python code in a fresh process: the most memory that it had, in MB (2^20).

    Args:
        program: the code; it reads `words` as `sys.argv[1:]`.
        words: arguments; the first one is the file that errors name.

    Raises:
        UserError: it failed, with the last line it said.
    """
    return int(_last_line(program + PEAK, *words)) / 1024


def result_of(program: str, name: str, arguments: Any) -> Any:
    """Run Python code in a fresh process: what it printed last, a line of JSON.

    Args:
        program: the code; it reads `name` and JSON as `sys.argv[1:]`.
        name: the file that errors name.
        arguments: whatever JSON can hold.

    Raises:
        UserError: it failed, with the last line it said.
    """
    return json.loads(_last_line(program, name, json.dumps(arguments)))


def _last_line(program: str, *words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)], capture_output=True, text=True
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"ended with exit code {done.returncode}"]
        raise UserError(f"{words[0]}: {lines[-1]}")
    return done.stdout.strip().splitlines()[-1]
