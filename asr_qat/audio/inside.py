"""Recordings that lie inside of other files: a range of bytes, or a cell of a Parquet table.

Both are small and can be pickled, and open what they need only when the recording is read. Their
text names the recording to people, and is an address that `audio_source` reads again:

    /data/audio_0.tar#anna/001.flac@1536+12700    bytes 1536 to 14236 of a file
    /data/train.parquet#audio@17                  column `audio`, row 17
"""

import dataclasses
import functools
import io
import re
from pathlib import Path
from typing import Any, BinaryIO

from asr_qat.audio.decode import EncodedAudio
from asr_qat.errors import UserError, require

_RANGE = re.compile(r"(?s)(?P<path>.+)#(?P<name>[^#]*)@(?P<start>\d+)\+(?P<length>\d+)")
_CELL = re.compile(r"(?s)(?P<path>.+)#(?P<column>[^#]+)@(?P<row>\d+)")
_ROW_GROUPS = 2  # of Parquet files, kept decoded by a process


@dataclasses.dataclass(frozen=True)
class FileRange:
    """A member of an archive that is not compressed.

    Attributes:
        path: the archive.
        name: of the member, for people.
        start: bytes before it.
        length: its bytes.
    """

    path: Path
    name: str
    start: int
    length: int

    def __str__(self) -> str:
        name = self.name.replace("#", "_")
        return f"{self.path.absolute()}#{name}@{self.start}+{self.length}"

    def open(self) -> BinaryIO:
        """Its bytes. Raises `UserError` if the archive is missing or ends before them."""
        try:
            with self.path.open("rb") as file:
                file.seek(self.start)
                content = file.read(self.length)
        except FileNotFoundError:
            raise UserError(f"{self.path}: missing: copy it again") from None
        if len(content) < self.length:
            raise UserError(f"{self.path}: cut short, {self.name} is missing: copy it again")
        return io.BytesIO(content)


@dataclasses.dataclass(frozen=True)
class ParquetCell:
    """A recording in a column of kind Audio: a structure of `bytes` and `path`.

    Attributes:
        path: the Parquet file.
        column: name of the column.
        row: number of the row in the file, from 0.
    """

    path: Path
    column: str
    row: int

    def __str__(self) -> str:
        return f"{self.path.absolute()}#{self.column}@{self.row}"

    def open(self) -> BinaryIO:
        """Its bytes, or those of the file that it names beside the table."""
        group, row = self.row, 0
        for index, rows in enumerate(_rows_of_groups(self.path)):
            if group < rows:
                row, group = group, index
                break
            group -= rows
        else:
            raise UserError(f"{self.path}: has no row {self.row}: prepare the corpus again")
        value = _row_group(self.path, self.column, group)[row].as_py() or {}
        if value.get("bytes"):
            return io.BytesIO(value["bytes"])
        require(bool(value.get("path")), f"{self}: holds no recording")
        file = self.path.parent / value["path"]
        require(file.is_file(), f"{self}: {file} is missing: copy it there")
        return file.open("rb")


AudioSource = Path | FileRange | ParquetCell


def audio_source(folder: Path, address: str) -> AudioSource:
    """What a manifest in `folder` names: a file, or an address as above."""
    if match := _RANGE.fullmatch(address):
        start, length = int(match["start"]), int(match["length"])
        return FileRange(folder / match["path"], match["name"], start, length)
    if match := _CELL.fullmatch(address):
        return ParquetCell(folder / match["path"], match["column"], int(match["row"]))
    return folder / address


def address(source: Path | EncodedAudio) -> str:
    """What `audio_source` reads again, in whatever folder."""
    return str(source.absolute() if isinstance(source, Path) else source)


@functools.lru_cache(maxsize=1024)
def _rows_of_groups(path: Path) -> tuple[int, ...]:
    import pyarrow.parquet  # late: of the extra `hf`

    found = pyarrow.parquet.read_metadata(path)
    return tuple(found.row_group(index).num_rows for index in range(found.num_row_groups))


@functools.lru_cache(maxsize=_ROW_GROUPS)
def _row_group(path: Path, column: str, group: int) -> Any:
    import pyarrow.parquet

    with pyarrow.parquet.ParquetFile(path) as file:
        return file.read_row_group(group, columns=[column], use_threads=False).column(0)
