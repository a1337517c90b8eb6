"""Files that appear under their final name only when they are complete.

Paths are local, or addresses such as `s3://bucket/folder`, see `asr_qat.remote_path`.
"""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from asr_qat import plain_json
from asr_qat.errors import UserError
from asr_qat.leftovers import remove_left_once, temporary_folder, temporary_name
from asr_qat.remote_path import RemotePath
from asr_qat.remote_path import place as place

MOST_JSON = 64 << 20  # bytes of a file whose content is held in memory as objects
_BLOCK = 1 << 20  # bytes that are hashed at once


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` if the block succeeds.

    A file in an object store is written to a local folder first, then sent there whole.

    The temporary file is removed on failure, so a full disk or a kill leaves the
    previous `path`, if any, as it was; that of a process which was killed, by the next one that
    writes in the same folder. Permissions are those of any new file.

    Raises:
        OSError: naming `path` where the block's own error names the temporary file or none.
    """
    path = place(path)
    if isinstance(path, RemotePath):
        with temporary_folder() as folder:
            staged = folder / path.name
            yield staged
            path.upload(staged)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_left_once(path.parent)
    temporary = path.with_name(temporary_name(path.name))
    try:
        temporary.touch(exist_ok=False)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except OSError as error:
        if error.errno is None or error.filename not in (None, str(temporary)):
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def local(path: str | Path) -> Iterator[Path]:
    """Yield a local path with the content of `path`: itself, or a copy of a remote file."""
    path = place(path)
    if isinstance(path, RemotePath):
        with path.local_copy() as copy:
            yield copy
    else:
        yield path


def write_bytes(path: str | Path, content: bytes) -> None:
    """Write `content` to `path`, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: str | Path, content: str) -> None:
    """Write `content` to `path` in UTF-8, whole or not at all.

    A name of a file that is no UTF-8 has surrogates, which are written as JSON escapes them.
    """
    write_bytes(path, content.encode(errors="backslashreplace"))


def append_line(path: str | Path, line: str) -> None:
    """Add a line to a text; a kill may leave a part of it.

    Raises:
        OSError: naming `path`.
    """
    try:
        with place(path).open("a") as file:
            file.write(f"{line}\n")
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None


def write_json(path: str | Path, content: Any) -> None:
    """Write `content` to `path` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read_bytes(path: str | Path, most: int | None = None) -> bytes:
    """Read the content of a file.

    Args:
        path: of the file.
        most: bytes that it may have, None for any number.

    Raises:
        UserError: it is a folder or too large.
        FileNotFoundError: there is none.
    """
    path = place(path)
    try:
        if most is None or isinstance(path, RemotePath):
            content = path.read_bytes()
        else:
            with path.open("rb") as file:  # a pipe or a device has no size to look at
                content = file.read(most + 1)
    except IsADirectoryError:
        raise UserError(f"{path}: a folder: expected a file") from None
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise UserError(f"{path}: a link to itself: expected a file") from None
    if most is not None and len(content) > most:
        raise UserError(f"{path}: more than {most:,} bytes")
    return content


def read_text(path: str | Path, most: int | None = None) -> str:
    """Read UTF-8, with a byte order mark or without.

    Raises:
        UserError: naming the file and the line that is not UTF-8, or as `read_bytes`.
        FileNotFoundError: there is none.
    """
    content = read_bytes(path, most)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise UserError(f"{path}: line {line} is not UTF-8: save it in that encoding") from None


def read_lines(path: str | Path, most: int | None = None) -> list[str]:
    """The lines of a text, without what ends them: a line feed, after a carriage return or not.

    Nothing else does: `str.splitlines` would cut names and transcripts that hold a Unicode line
    separator, a form feed or the like. Raises as `read_text`.
    """
    lines = read_text(path, most).split("\n")
    if not lines[-1]:
        lines.pop()
    return [line.removesuffix("\r") for line in lines]


def read_json(path: str | Path, most: int = MOST_JSON) -> Any:
    """Read JSON. Raises `UserError` naming the file if it is missing, damaged or too large."""
    try:
        return plain_json.parse(read_text(path, most))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid JSON ({error})") from None


def sha256(path: str | Path, done: Callable[[int], object] = lambda _: None) -> str:
    """SHA-256 of the content of a file, in hexadecimal digits.

    Args:
        path: of the file, which is read a block at a time.
        done: called with the bytes of each block.
    """
    path, digest = place(path), hashlib.sha256()
    path.stat()  # a remote file that is not there is noticed here: it opens when it is read
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            done(len(block))
    return digest.hexdigest()
