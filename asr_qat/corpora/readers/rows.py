"""Rows of the text files that describe corpora; what is wrong with them is said all at once."""

import gzip
import json
import zlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from asr_qat import files
from asr_qat.errors import UserError

Row = TypeVar("Row")
Item = TypeVar("Item")
_FIRST_LINE = 1 << 20  # bytes; a file without line feeds is no manifest
REASONS = 10  # that an error explains; of all other bad rows it has the numbers


def text_rows(path: Path) -> list[tuple[int, str]]:
    r"""The lines of a UTF-8 file that are not blank, and their numbers from 1.

    Lines end with "\n" or "\r\n" alone: U+2028 and the like are letters of names. A file
    `*.gz` is unpacked.

    Raises:
        UserError: not UTF-8, or a damaged archive.
        FileNotFoundError: there is no such file.
    """
    if path.suffix == ".gz":
        try:
            with gzip.open(path, "rt", encoding="utf-8-sig", newline="\n") as file:
                text = file.read()
        except (gzip.BadGzipFile, EOFError, zlib.error, UnicodeDecodeError) as error:
            raise UserError(f"{path}: damaged ({error}): copy it again") from None
    else:
        text = files.read_text(path)
    lines = enumerate(text.split("\n"), 1)
    return [(number, line.removesuffix("\r")) for number, line in lines if line.strip()]


def json_object(line: str) -> dict[str, Any]:
    """The object on a line. Raises `UserError` if it is none."""
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"not valid JSON ({error})") from None
    if not isinstance(entry, dict):
        raise UserError(f"expected a JSON object, not {line[:40]!r}")
    return entry


def read_rows(
    path: Path, rows: Iterable[tuple[int, Row]], read: Callable[[Row, str], Item]
) -> list[Item]:
    """What `read` makes of each row.

    Args:
        path: the file, for errors.
        rows: each with its number.
        read: takes a row and where it stands, `FILE: line NUMBER`; raises `UserError` that says
            what is wrong with it.

    Raises:
        UserError: one for all bad rows, with their numbers; equal reasons are given once.
    """
    items: list[Item] = []
    bad: dict[str, list[int]] = {}
    for number, row in rows:
        try:
            items.append(read(row, f"{path}: line {number}"))
        except UserError as error:
            bad.setdefault(str(error), []).append(number)
        except OSError as error:  # a name that no file can have
            bad.setdefault(error.strerror or str(error), []).append(number)
    if not bad:
        return items
    said = [f"{_numbers(lines)}: {reason}" for reason, lines in list(bad.items())[:REASONS]]
    others = [number for lines in list(bad.values())[REASONS:] for number in lines]
    if others:
        said.append(f"also {_numbers(others)}")
    raise UserError(f"{path}: {'; '.join(said)}")


def _numbers(lines: list[int]) -> str:
    """`line 3` or `lines 3, 5-9`."""
    runs: list[list[int]] = []
    for number in sorted(lines):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    spans = [str(first) if first == last else f"{first}-{last}" for first, last in runs]
    return f"line{'s' if len(lines) > 1 else ''} {', '.join(spans)}"


def first_object(path: Path) -> dict[str, Any]:
    """The object on the first line of a file, which says what kind it is; empty if there is none.

    Of a large file no more than that line is read.
    """
    opened = gzip.open(path, "rb") if path.suffix == ".gz" else path.open("rb")
    try:
        with opened as file:
            return json_object(file.readline(_FIRST_LINE).decode("utf-8-sig"))
    except (UserError, UnicodeDecodeError, OSError, EOFError, zlib.error):
        return {}
