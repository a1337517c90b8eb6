"""Commands in processes of their own, timed, and the folders that they write."""

import dataclasses
import os
import resource
import subprocess
import sys
import time
from pathlib import Path

from asr_qat.errors import require


@dataclasses.dataclass(frozen=True)
class Times:
    """Of one command.

    Attributes:
        wall: seconds from its start to its end.
        core: seconds of the processor, of it and the processes that it waited for.
    """

    wall: float
    core: float


def timed(*words: str, variables: dict[str, str] | None = None) -> Times:
    """Run `asr-qat WORDS`. Raises `UserError` with its last line if it fails."""
    spent, started = _children(), time.monotonic()
    command = [sys.executable, "-m", "asr_qat.cli", *words]
    environment = {**os.environ, **(variables or {})}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    said = (done.stderr.strip().splitlines() or [""])[-1]
    require(done.returncode == 0, f"asr-qat {' '.join(words)}: {said}")
    return Times(time.monotonic() - started, _children() - spent)


def _children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def same_files(first: Path, second: Path) -> bool:
    """Whether two folders have the same files of the same bytes."""
    names = [{p.relative_to(f) for p in f.rglob("*") if p.is_file()} for f in (first, second)]
    return names[0] == names[1] and all(
        (first / name).read_bytes() == (second / name).read_bytes() for name in names[0]
    )


def folder_bytes(folder: Path) -> int:
    """Bytes of all its files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
