"""One process at a time writes a folder or a file; a lock says which one.

The lock is the kernel's, on a small file: it ends with its process, however that ends, and what a
killed one has left of it is taken over without a word. The file names the holder, for people, and
tells a holder on another machine: a network file system may not carry locks from there. Object
stores have none.
"""

import contextlib
import dataclasses
import errno
import fcntl
import io
import json
import logging
import math
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

from asr_qat.errors import UserError
from asr_qat.provenance import command_line
from asr_qat.remote_path import RemotePath

NAME = ".lock"  # of the file, in the folder that is held
PATIENCE_S = 10.0  # for a process that is about to end
LOOK_S = 0.1  # between two looks at a lock that is held
NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)  # what file systems without them say

_LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Holder:
    """Who holds a lock.

    Attributes:
        host: name of the machine.
        pid: of the process.
        since: local time.
        command: as it was typed.
    """

    host: str
    pid: int
    since: str
    command: str

    @classmethod
    def this_process(cls) -> "Holder":
        """That of a lock which is taken now."""
        return cls(
            socket.gethostname(), os.getpid(), time.strftime("%Y-%m-%d %H:%M:%S"), command_line()
        )

    def __str__(self) -> str:
        """In words."""
        return f"`{self.command}` (process {self.pid} on {self.host}, since {self.since})"


@contextlib.contextmanager
def locked(
    path: Path,
    shared: bool = False,
    patience_s: float | None = None,
    any_host: bool = False,
) -> Iterator[None]:
    """Hold the lock file `path` during the block; it is gone afterwards.

    Args:
        path: the file. Its folder is made, and removed again if it is empty in the end.
        shared: others may share it; it is kept from those who want it alone.
        patience_s: how long to wait for who holds it; None for `PATIENCE_S`.
        any_host: take over also what another machine has left.

    Raises:
        UserError: it is held, or another machine has left it.
        OSError: it cannot be written.
    """
    if isinstance(path, RemotePath):
        yield
        return
    made = not path.parent.exists()
    file = _taken(path, shared, PATIENCE_S if patience_s is None else patience_s)
    try:
        with file:
            if not any_host:
                _refuse_other_host(path)
            try:
                _sign(file, path)
                yield
            finally:
                _remove(file, path, shared)
    finally:
        if made:
            with contextlib.suppress(OSError):  # it is not empty
                path.parent.rmdir()


def _taken(path: Path, shared: bool, patience_s: float) -> io.FileIO:
    """The open file, locked."""
    end = time.monotonic() + patience_s
    said = False
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)  # whoever held it may have removed it
        file = path.open("a+b", buffering=0)
        try:
            if _lock(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, path):
                if _is_still(file, path):
                    return file
                file.close()
                continue  # its holder has removed it meanwhile: make another one
        except BaseException:
            file.close()
            raise
        file.close()
        if time.monotonic() >= end:
            raise UserError(f"{_held(path)}: wait for it, or stop it")
        if not said and math.isinf(patience_s):
            _LOGGER.info("%s: waiting", _held(path))
            said = True
        time.sleep(LOOK_S)


def _lock(file: io.FileIO, kind: int, path: Path) -> bool:
    """Whether the lock was free, and is ours now."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        _LOGGER.warning("%s: its file system has no locks: see that nobody else writes here", path)
    return True


def _is_still(file: io.FileIO, path: Path) -> bool:
    """Whether the open file is the one of that name."""
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _refuse_other_host(path: Path) -> None:
    """Raise `UserError` if a process of another machine has not left orderly."""
    before = _holder(path)
    if before is not None and before.host != socket.gethostname():
        raise UserError(
            f"{_held(path)}: that is another machine, where it may be running: if it is not, "
            f"remove {path}"
        )


def _sign(file: io.FileIO, path: Path) -> None:
    """Write who we are."""
    own = json.dumps(dataclasses.asdict(Holder.this_process()))
    try:
        file.truncate(0)
        file.write(own.encode())
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def _remove(file: io.FileIO, path: Path, shared: bool) -> None:
    """Remove the file, while it is locked: of those who share it the last one does."""
    if not shared or _lock(file, fcntl.LOCK_EX, path):
        path.unlink(missing_ok=True)


def _held(path: Path) -> str:
    """Who holds it, of what."""
    what = path.parent if path.name == NAME else path.with_name(path.name[1:].removesuffix(NAME))
    return f"{what}: is being written by {_holder(path) or 'another process'}"


def _holder(path: Path) -> Holder | None:
    """Who the file names; None if nobody, or if it is damaged."""
    try:
        return Holder(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
