"""A command of this package in a forked process, which may be killed at a chosen point.

The process that forks has imported everything and computed nothing: TensorFlow starts its threads
in each child, and a drill takes no import of it. A point is a time, or the n-th change of a file
by Python, before which the child kills itself; the latter falls again at the same place.
"""

import contextlib
import dataclasses
import mmap
import os
import shlex
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

PATIENCE_S = 300.0  # for a command that does not end
LOOK_S = 0.002  # between two looks at a child
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate")


@dataclasses.dataclass(frozen=True)
class Kill:
    """Where a command is killed.

    Attributes:
        seconds: after its start, or None.
        change: number of the change of a file before which it is, from 1, or None.
        group: with all processes that it has started.
    """

    seconds: float | None
    change: int | None
    group: bool

    @classmethod
    def drawn(cls, chance: np.random.Generator, whole: "Ended") -> "Kill":
        """A point of a command whose undisturbed run is known."""
        group = bool(chance.random() < 0.5)
        if chance.random() < 0.5:
            return cls(None, 1 + int(chance.integers(max(1, whole.changes))), group)
        return cls(float(chance.uniform(0, whole.seconds)), None, group)


@dataclasses.dataclass(frozen=True)
class Ended:
    """A command that has ended.

    Attributes:
        code: its exit code; the negative number of the signal that killed it.
        seconds: that it took.
        changes: of files by Python.
        said: what it printed.
    """

    code: int
    seconds: float
    changes: int
    said: str

    @property
    def last_line(self) -> str:
        """The last one that it printed."""
        return (self.said.strip().splitlines() or [""])[-1]

    @property
    def in_one_line(self) -> bool:
        """Whether it ended with an error that says what is wrong, and no traceback."""
        return self.code == 1 and ": error: " in self.last_line and "Traceback" not in self.said


class Started:
    """A command that runs in a child.

    Args:
        command: as it is typed, of `asr-qat` or `tflite-export`.
        folder: where it runs, made if need be; its temporary files go to `scratch`.
        kill: where it is killed.
        before: is called in the child.
        log: where what it prints goes, None for beside `folder`.
    """

    def __init__(
        self,
        command: str,
        folder: Path,
        kill: Kill | None = None,
        before: Callable[[], object] = lambda: None,
        log: Path | None = None,
    ) -> None:
        self._log = log or folder.with_name(f"{folder.name}.log")
        self._kill = kill
        self._changes = mmap.mmap(-1, 8)  # shared with the child
        folder.mkdir(parents=True, exist_ok=True)
        scratch(folder).mkdir(exist_ok=True)
        self._log.touch()
        self._began = time.monotonic()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            self._child(command, folder, before)
        _lead_group(self.pid)

    def wait(self) -> Ended:
        """Wait for its end, or kill it where that is due."""
        due = self._kill.seconds if self._kill is not None else None
        while True:
            gone, status = os.waitpid(self.pid, os.WNOHANG)
            seconds = time.monotonic() - self._began
            if gone:
                break
            if seconds > PATIENCE_S or (due is not None and seconds > due):
                _kill(self.pid, self._kill is None or self._kill.group)
                due = None
            time.sleep(LOOK_S)
        changes = int.from_bytes(self._changes[:], "little")
        code = os.waitstatus_to_exitcode(status)
        return Ended(code, seconds, changes, self._log.read_text(errors="replace"))

    def _child(self, command: str, folder: Path, before: Callable[[], object]) -> None:
        """Run the command; never returns."""
        code = 70
        try:
            _lead_group(0)
            log = os.open(self._log, os.O_WRONLY | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.environ.update(TMPDIR=str(scratch(folder)), ASR_QAT_CACHE=str(scratch(folder)))
            tempfile.tempdir = None  # it is asked for anew
            before()
            os.chdir(folder)
            sys.addaudithook(self._count)
            code = _run(shlex.split(command))
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    def _count(self, event: str, args: tuple[Any, ...]) -> None:
        """In the child: count the changes of files, and kill at the chosen one."""
        if event not in CHANGES and not (event == "open" and _writes(args)):
            return
        count = int.from_bytes(self._changes[:], "little") + 1
        self._changes[:] = count.to_bytes(8, "little")
        if self._kill is not None and self._kill.change == count:
            _kill(os.getpid(), self._kill.group)


def scratch(folder: Path) -> Path:
    """Where a command that runs in `folder` has its temporary files and its cache."""
    return folder.with_name(f"{folder.name}.tmp")


def _lead_group(pid: int) -> None:
    """Parent and child both call it: whichever is first, the group is there when it is killed."""
    with contextlib.suppress(OSError):  # the child has ended
        os.setpgid(pid, 0)


def _kill(pid: int, group: bool) -> None:
    (os.killpg if group else os.kill)(pid, signal.SIGKILL)


def _writes(args: tuple[Any, ...]) -> bool:
    path, _, flags = args
    return bool(flags & WRITING) and not str(path).startswith(("/dev/", "/proc/"))


def _run(words: list[str]) -> int:
    """The exit code of a command."""
    from asr_qat import cli
    from tflite_export import cli as export_cli

    sys.argv = words
    try:
        {"asr-qat": cli.main, "tflite-export": export_cli.main}[words[0]]()
    except SystemExit as end:
        return int(end.code or 0)
    return 0
