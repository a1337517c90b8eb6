"""Temporary files whose names say which process makes them, and those that killed ones have left.

`.NAME.HOST-PID-STARTED.RANDOM.tmp`: HOST stands for the machine and the processes that it sees, the
other two are the process and when it began, so that a later one of the same number is another one.
A file is removed when its process is gone; one of another machine only where nobody else writes.
"""

import contextlib
import functools
import hashlib
import os
import re
import secrets
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

PROCESSES = Path("/proc")  # of Linux; where there is none, nothing is removed
MADE = re.compile(r"^\..+\.([0-9a-f]{8})-(\d+)-(\d+)\.\w{8}\.tmp(\.weights\.h5)?$")
EARLIER = re.compile(r"^\..+\.[0-9a-f]{8}\.(tmp|weights\.h5)$")  # of versions that said no process


def temporary_name(name: str) -> str:
    """A new name for a file that is to become `name`."""
    return f".{name}.{_process()}.{secrets.token_hex(4)}.tmp"


@contextlib.contextmanager
def temporary_folder(name: str = "asr-qat", beside: Path | None = None) -> Iterator[Path]:
    """A new folder that goes at the end of the block, unless it was renamed.

    Args:
        name: what it is, or is to become.
        beside: the folder to make it in; None for the system's folder of temporary files.
    """
    folder = beside or _temporary_place()
    remove_left_once(folder)
    with tempfile.TemporaryDirectory(
        prefix=f".{name}.{_process()}.", suffix=".tmp", dir=folder, ignore_cleanup_errors=True
    ) as made:
        yield Path(made)


def _temporary_place() -> Path:
    """The system's folder of temporary files.

    Python's own search writes a file there to try it, which a kill may leave.
    """
    if tempfile.tempdir is None:
        for place in (os.environ.get("TMPDIR"), "/tmp"):
            if place and os.path.isdir(place) and os.access(place, os.W_OK | os.X_OK):
                return Path(place)
    return Path(tempfile.gettempdir())


@contextlib.contextmanager
def own_temporary_files() -> Iterator[None]:
    """Temporary files of the process and of its children, of libraries too, are in one folder.

    TensorFlow writes the source of each graph there and removes it when the process ends orderly.
    Where there is no place for a folder, or no lock for it, nothing changes.
    """
    try:
        import fcntl
    except ModuleNotFoundError:  # on Windows
        yield
        return
    before = os.environ.get("TMPDIR"), tempfile.tempdir
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            folder = stack.enter_context(temporary_folder())
            # What removes old files from such places leaves alone what is locked: tmpfiles.d(5).
            fcntl.flock(stack.enter_context(_opened(folder)), fcntl.LOCK_EX)
            stack.callback(_put_temporary_files, *before)
            _put_temporary_files(str(folder), str(folder))
        yield


def _put_temporary_files(variable: str | None, folder: str | None) -> None:
    """Where they go: of processes that are started, and of this one."""
    os.environ.pop("TMPDIR", None)
    if variable is not None:
        os.environ["TMPDIR"] = variable
    tempfile.tempdir = folder


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def remove_left(folder: Path, alone: bool = False) -> None:
    """Remove the temporary files and folders in `folder` that killed processes have left.

    Args:
        folder: a local one; it need not be there.
        alone: nobody else writes there: those of other machines go too.
    """
    with contextlib.suppress(OSError):  # no such folder, or one that cannot be read
        left = [entry for entry in os.scandir(folder) if _is_left(entry.name, alone)]
        for entry in left:
            with contextlib.suppress(OSError):  # another process removes it too
                _remove(entry)


@functools.cache
def remove_left_once(folder: Path) -> None:
    """`remove_left` the first time that this process writes there."""
    remove_left(folder)


def _remove(entry: "os.DirEntry[str]") -> None:
    """Unless it is another user's."""
    if entry.stat(follow_symlinks=False).st_uid != os.getuid():
        return
    if entry.is_dir(follow_symlinks=False):
        shutil.rmtree(entry.path, ignore_errors=True)
    else:
        Path(entry.path).unlink(missing_ok=True)


def _is_left(name: str, alone: bool) -> bool:
    made = MADE.match(name)
    if made is None:
        return alone and EARLIER.match(name) is not None
    host, pid, started, _ = made.groups()
    if host != _host():
        return alone
    return _started(os.getpid()) is not None and _started(int(pid)) != started


def _process() -> str:
    return f"{_host()}-{os.getpid()}-{_started(os.getpid()) or 0}"


@functools.cache
def _host() -> str:
    """Of the machine; of a container that has processes of its own another one."""
    with contextlib.suppress(OSError):
        return _short(f"{socket.gethostname()} {os.readlink(PROCESSES / 'self/ns/pid')}")
    return _short(socket.gethostname())


def _short(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _started(pid: int) -> str | None:
    """When a process began, in ticks since the machine did; None if it is gone."""
    try:
        about = (PROCESSES / str(pid) / "stat").read_text()
    except OSError:
        return None
    state, *rest = about.rpartition(")")[2].split()
    return None if state in "ZX" else rest[18]  # killed, but its parent has not noticed
