"""The recordings that are named on a command line: files, folders, standard input."""

import sys
from pathlib import Path

from asr_qat.audio.decode import AUDIO_SUFFIXES
from asr_qat.audio.heard import AudioBytes
from asr_qat.errors import UserError, require

STANDARD_INPUT = "-"


def named_recordings(names: list[str]) -> list[str]:
    """Files as they are named; of a folder all recordings in it and in folders below.

    Raises:
        UserError: a folder without recordings, or standard input more than once.
    """
    require(names.count(STANDARD_INPUT) <= 1, "-: is standard input, once: name it once")
    found: list[str] = []
    for name in names:
        if not Path(name).is_dir():
            found.append(name)
            continue
        inside = sorted(
            str(path) for path in Path(name).rglob("*") if path.suffix.lower() in AUDIO_SUFFIXES
        )
        if not inside:
            suffixes = " ".join(sorted(AUDIO_SUFFIXES))
            raise UserError(f"{name}: no recording in this folder ({suffixes})")
        found += inside
    return found


def recording(name: str) -> str | AudioBytes:
    """What to read: the bytes of standard input, if that is named."""
    if name != STANDARD_INPUT:
        return name
    content = sys.stdin.buffer.read()
    require(bool(content), "standard input: empty: nothing came")
    return AudioBytes(content, "standard input")
