"""Silence for C++ libraries that print by themselves.

For commands and for the TensorFlow converter. Nothing in `tflite_export.runtime` uses it: standard
output and error belong to the whole process, and so to whoever embeds the recogniser.
"""

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_lock = threading.Lock()
_silent = 0  # blocks that threads are in
_saved: dict[int, int] = {}  # by descriptor, a copy of what it was before the first of them


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Within the block nothing reaches standard output and error, from C++ code neither.

    Exceptions pass, and carry the messages that matter. Blocks may overlap, in several threads: the
    last one that ends brings the output back.
    """
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _silent
    with _lock:
        if not _silent:
            _flush()
            _saved.update({descriptor: os.dup(descriptor) for descriptor in (1, 2)})
            null = os.open(os.devnull, os.O_WRONLY)
            for descriptor in _saved:
                os.dup2(null, descriptor)
            os.close(null)
        _silent += 1


def _leave() -> None:
    global _silent
    with _lock:
        _silent -= 1
        if not _silent:
            _flush()
            for descriptor, copy in _saved.items():
                os.dup2(copy, descriptor)
                os.close(copy)
            _saved.clear()


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
