"""Silence for C++ libraries that print on their own account.

For commands and for the TensorFlow converter. Nothing in `tflite_export.runtime` uses it: standard
output and error belong to the whole process, and so to whoever embeds the recogniser.
"""

import contextlib
import os
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Within the block nothing reaches standard output and error, from C++ code neither.

    Exceptions pass, and carry the messages that matter.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    saved = {descriptor: os.dup(descriptor) for descriptor in (1, 2)}
    null = os.open(os.devnull, os.O_WRONLY)
    try:
        for descriptor in saved:
            os.dup2(null, descriptor)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, copy in saved.items():
            os.dup2(copy, descriptor)
            os.close(copy)
        os.close(null)
