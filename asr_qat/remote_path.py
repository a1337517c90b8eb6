"""Paths of object stores and other file systems that TensorFlow reads: `s3://bucket/folder`.

`gs://` is part of TensorFlow; `s3://`, `az://` and `hdfs://` are file systems of tensorflow-io.
"""

import atexit
import contextlib
import errno
import fnmatch
import functools
import multiprocessing
import os
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path, PosixPath
from typing import Any, ParamSpec, TypeVar

from asr_qat.errors import require
from asr_qat.leftovers import temporary_folder

ADDRESS = re.compile(r"[a-z][a-z0-9]*://")
SCHEMES = ("s3", "gs", "az", "hdfs")

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


def place(path: str | Path) -> Path:
    """The path of a local file or folder, or of one in an object store.

    Raises:
        UserError: an address of no known kind.
    """
    if isinstance(path, RemotePath) or not ADDRESS.match(str(path)):
        return Path(path) if isinstance(path, str) else path
    scheme = str(path).partition(":")[0]
    known = ", ".join(f"{each}://" for each in SCHEMES)
    require(scheme in SCHEMES, f"{path}: files are read from folders and from {known}")
    return RemotePath(str(path))


def _as_os_error(method: Callable[Arguments, Result]) -> Callable[Arguments, Result]:
    """Raise what TensorFlow says of a file as the `OSError` that a local one would raise."""

    @functools.wraps(method)
    def call(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        errors = file_system(str(args[0])).errors
        try:
            return method(*args, **kwargs)
        except errors.NotFoundError as error:
            raise FileNotFoundError(errno.ENOENT, _first(error), str(args[0])) from None
        except errors.PermissionDeniedError as error:
            raise PermissionError(errno.EACCES, _first(error), str(args[0])) from None
        except (errors.OpError, RuntimeError) as error:
            raise OSError(errno.EIO, _first(error), str(args[0])) from None

    return call


def _first(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


class RemotePath(PosixPath):
    """A `Path` whose files lie in an object store; what is not used here is not there.

    A folder of an object store is there if there is a file in it: none needs to be made.
    """

    __slots__ = ()

    def __str__(self) -> str:
        """The address; a plain path would shorten its two slashes to one."""
        return super().__str__().replace(":/", "://", 1)

    def absolute(self) -> "RemotePath":
        """Itself."""
        return self

    def resolve(self, strict: bool = False) -> "RemotePath":
        """Itself."""
        return self

    @_as_os_error
    def exists(self, **_: Any) -> bool:
        """Whether there is such a file, or a file below it."""
        return bool(_gfile().exists(str(self)))

    @_as_os_error
    def is_dir(self, **_: Any) -> bool:
        """Whether there is a file below it."""
        return bool(_gfile().isdir(str(self)))

    def is_file(self, **_: Any) -> bool:
        """Whether there is such a file."""
        return self.exists() and not self.is_dir()

    @_as_os_error
    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing, see above: but on a file system that has folders."""
        if str(self).startswith("hdfs"):
            _gfile().makedirs(str(self))

    @_as_os_error
    def iterdir(self) -> Iterator["RemotePath"]:  # type: ignore[override]
        """The files and folders directly in this one."""
        return iter([self / name.rstrip("/") for name in _gfile().listdir(str(self))])

    def glob(self, pattern: str, **_: Any) -> Iterator["RemotePath"]:  # type: ignore[override]
        """The files of this folder, or of one below it, whose name has the pattern."""
        *folders, last = pattern.split("/")
        folder = self.joinpath(*folders)
        found = folder.iterdir() if folder.is_dir() else iter(())
        return (path for path in found if fnmatch.fnmatchcase(path.name, last))

    @_as_os_error
    def stat(self, **_: Any) -> os.stat_result:
        """Of a file: size and time of the last change; all else is 0."""
        found = _gfile().stat(str(self))
        seconds = found.mtime_nsec // 10**9
        return os.stat_result((0, 0, 0, 0, 0, 0, found.length, 0, seconds, 0))

    @_as_os_error
    def unlink(self, missing_ok: bool = False) -> None:
        """Remove the file."""
        if not missing_ok or _gfile().exists(str(self)):
            _gfile().remove(str(self))

    def open(self, mode: str = "r", *_: Any, **__: Any) -> Any:
        """TensorFlow's file object; what is appended to is read and written anew."""
        return _gfile().GFile(str(self), mode)

    @_as_os_error
    def read_bytes(self) -> bytes:
        """The whole content."""
        with _gfile().GFile(str(self), "rb") as file:
            return bytes(file.read())

    def read_text(self, encoding: str | None = None, *_: Any, **__: Any) -> str:
        """The whole content."""
        return self.read_bytes().decode(encoding or "utf-8")

    @_as_os_error
    def upload(self, local: Path) -> None:
        """Put the content of a local file here: whole or not at all."""
        if str(self).startswith("hdfs"):  # a file is seen there while it is being written
            temporary = str(self.with_name(f".{self.name}.tmp"))
            _gfile().copy(str(local), temporary, overwrite=True)
            _gfile().rename(temporary, str(self), overwrite=True)
        else:
            _gfile().copy(str(local), str(self), overwrite=True)

    @contextlib.contextmanager
    def local_copy(self) -> Iterator[Path]:
        """A local file of this content, until the end of the context."""
        with temporary_folder() as folder:
            copy = folder / self.name
            copy.write_bytes(self.read_bytes())
            yield copy


@functools.cache
def _loaded(scheme: str) -> Any:
    """TensorFlow, with the file system of this scheme."""
    import tensorflow as tf

    if scheme != "gs":
        import tensorflow_io  # noqa: F401  # an extra: registers its file systems

    if multiprocessing.parent_process() is not None:  # a worker, see `leave`
        atexit.register(os._exit, 0)
    return tf


def file_system(path: str) -> Any:
    """TensorFlow, able to read `path`."""
    return _loaded(path.partition(":")[0])


def _gfile() -> Any:
    import tensorflow as tf

    return tf.io.gfile


def leave(code: int) -> None:
    """End the process with the exit code, at once where tensorflow-io has read remote files.

    Its S3 file system aborts while a process ends, all work done: the exit code would be 134
    (github.com/tensorflow/io/issues/2039, of 0.37.1).
    """
    if _loaded.cache_info().currsize:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
