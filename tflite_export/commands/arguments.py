"""Argument types that the commands share."""

import os

from asr_qat.errors import UserError


def threads(text: str) -> int:
    """A number of CPU threads: 1 up to the number of cores."""
    cores = os.cpu_count() or 1
    if not text.isdigit() or not 1 <= int(text) <= cores:
        raise UserError(f"--threads {text}: expected 1 to {cores}, the number of cores")
    return int(text)


def beam(text: str) -> int:
    """Hypotheses that a beam search keeps: 1 or more."""
    if not text.isdigit() or int(text) < 1:
        raise UserError(f"--beam {text}: expected a number from 1 up")
    return int(text)
