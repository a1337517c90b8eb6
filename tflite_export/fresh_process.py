"""Peak memory of work done in a process of its own."""

import subprocess
import sys

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
    done = subprocess.run(
        [sys.executable, "-c", program + PEAK, *map(str, words)], capture_output=True, text=True
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"ended with exit code {done.returncode}"]
        raise UserError(f"{words[0]}: {lines[-1]}")
    return int(done.stdout.split()[-1]) / 1024
