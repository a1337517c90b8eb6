"""Commands on a small file system that is full before they are done."""

import contextlib
import resource
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from experiments.drills.drill import Ground, Outcome
from experiments.drills.instances import Command
from experiments.drills.process import Ended, Started, scratch

LEAST = 1 << 16  # bytes of the smallest file system
ROOMY = 1 << 30  # bytes of the file system after somebody has made room
SMALL_DISK = "a file system of a random part of the size needed, then one with room"
SMALL_FILES = "no file longer than a random part of the longest one, then no limit"


def can_mount() -> bool:
    """Whether this process may make a small file system; else the lengths of files are limited."""
    try:
        with tempfile.TemporaryDirectory() as folder, _mounted(Path(folder), LEAST):
            return True
    except (OSError, subprocess.CalledProcessError):
        return False


def full_disk(ground: Ground, command: Command, chance: np.random.Generator) -> Outcome:
    """Run the command on a disk that is too small, then again on a larger one."""
    needed = sum(p.stat().st_size for p in ground.reference(command).rglob("*") if p.is_file())
    folder = ground.new_folder(command)
    disk, log = folder.with_name("disk"), folder.with_name("disk.log")
    inside = disk / folder.name
    shutil.rmtree(disk, ignore_errors=True)
    disk.mkdir()
    with _mounted(disk, max(LEAST, int(needed * chance.uniform(0.02, 1.2)))):
        try:
            shutil.copytree(folder, inside)
        except shutil.Error:
            return Outcome(False, True)  # not even what lies there before it begins
        first = Started(ground.words(command), inside, log=log).wait()
        _call("mount", "-o", f"remount,size={ROOMY}", str(disk))
        second = Started(ground.words(command), inside, log=log).wait()
        for source, target in ((inside, folder), (scratch(inside), scratch(folder))):
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(source, target)
    return _of_both(ground, command, folder, first, second)


def small_files(ground: Ground, command: Command, chance: np.random.Generator) -> Outcome:
    """Run the command where files have to be short, then again without that limit."""
    reference = ground.reference(command)
    longest = max(p.stat().st_size for p in reference.rglob("*") if p.is_file())
    limit = int(longest * chance.uniform(0.02, 1.0))
    folder = ground.new_folder(command)

    def limited() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

    first = Started(ground.words(command), folder, before=limited).wait()
    second = Started(ground.words(command), folder).wait()
    return _of_both(ground, command, folder, first, second)


def _of_both(
    ground: Ground, command: Command, folder: Path, first: Ended, second: Ended
) -> Outcome:
    if first.code != 0 and not first.in_one_line:
        return Outcome(False, False, problem=f"on a full disk: {first.said[-1000:]}")
    return ground.outcome(command, folder, second)


@contextlib.contextmanager
def _mounted(folder: Path, size: int) -> Iterator[None]:
    """A file system of `size` bytes at `folder`."""
    _call("mount", "-t", "tmpfs", "-o", f"size={size}", "asr-qat-drill", str(folder))
    try:
        yield
    finally:
        _call("umount", str(folder))


def _call(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True)
