"""`tflite-export serve` in a process of its own."""

import contextlib
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from asr_qat.errors import UserError

HOST = "127.0.0.1"
END_S = 20.0  # for the server to end


class Served(NamedTuple):
    """A running server: its port and its process."""

    port: int
    pid: int


@contextlib.contextmanager
def served(path: str | Path, *options: object) -> Iterator[Served]:
    """Serve a live model within the block.

    Args:
        path: of the `.tflite`.
        options: of `tflite-export serve`, such as `"--max-streams", 8`.

    Raises:
        UserError: it does not start.
    """
    words = ["serve", str(path), "--port", "0", "--host", HOST, *map(str, options)]
    command = [sys.executable, "-m", "tflite_export.cli", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            started = re.search(r":(\d+)/", process.stdout.readline())
            if started is None:
                raise UserError(f"{path}: the server does not start")
            yield Served(int(started[1]), process.pid)
        finally:
            process.send_signal(signal.SIGINT)  # at once, with streams that are not over
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
