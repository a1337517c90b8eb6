"""AudioFolder of Hugging Face `datasets`: recordings and a table of them, `metadata.csv`.

The table, or `metadata.jsonl`, has `file_name`, relative to it, and the words in one of `TEXTS`; a
speaker may be in one of `SPEAKERS`. There is one in each of the folders `train`, `validation` and
`test`, or one above them.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from asr_qat import files
from asr_qat.corpora.readers.rows import json_object, read_rows, text_rows
from asr_qat.corpora.readers.splits import made_corpus, split_of
from asr_qat.corpora.utterance import SPLITS, Corpus, Utterance
from asr_qat.errors import UserError, require

NAMES = ("metadata.csv", "metadata.jsonl")
FILE = "file_name"
# Columns of published datasets, the first that there is.
TEXTS = ("text", "transcription", "sentence", "transcript", "normalized_text", "raw_text")
SPEAKERS = ("speaker_id", "speaker", "client_id")


def tables(path: Path) -> list[Path]:
    """The tables at `path`: of the folder, else of the folders in it."""
    if path.is_file():
        return [path]
    for places in ([path], sorted(place for place in path.iterdir() if place.is_dir())):
        found = [place / name for place in places for name in NAMES if (place / name).is_file()]
        if found:
            return found
    return []


def is_table(path: Path) -> bool:
    """Whether a file of such a name is a table of files: other corpora have a `metadata.csv`."""
    with path.open("rb") as file:
        return FILE in file.readline(1 << 16).decode("utf-8", "replace")


def read(path: Path) -> Corpus:
    """Read a folder, or one table.

    Raises:
        UserError: no table, no such columns, or damaged rows.
    """
    splits: dict[str, list[Utterance]] = {split: [] for split in SPLITS}
    found = tables(path)
    require(bool(found), f"{path}: neither {' nor '.join(NAMES)} in it, nor in a folder in it")
    for table in found:
        named = split_of(table.absolute().parent.name)
        for item, file in _read_table(table, path if path.is_dir() else path.parent):
            splits[split_of(PurePosixPath(file).parts[0], named) if "/" in file else named] += [
                item
            ]
    return made_corpus("audiofolder", path, splits)


def _read_table(path: Path, root: Path) -> list[tuple[Utterance, str]]:
    """The utterances of a table, named from `root` on, each with its `file_name`."""
    folder = PurePosixPath(path.parent.relative_to(root).as_posix())

    def read_row(row: dict[str, Any] | str, where: str) -> tuple[Utterance, str]:
        cells = json_object(row) if isinstance(row, str) else row
        require(None not in cells, "more cells than columns")
        name = cells.get(FILE)
        if not (isinstance(name, str) and name):
            raise UserError(f"no {FILE}")
        words = [cells[key] for key in TEXTS if cells.get(key) is not None]
        known = not words or isinstance(words[0], str)
        require(known, f"text is {words[:1]}, expected a transcript")
        speakers = [str(cells[key]) for key in SPEAKERS if cells.get(key) not in (None, "")]
        utterance = Utterance(
            id=str((folder / name).with_suffix("")),
            audio_path=path.parent / name,
            text=words[0] if words else "",
            speaker=speakers[0] if speakers else "",
            where=where,
        )
        return utterance, name

    if path.suffix == ".jsonl":
        return read_rows(path, text_rows(path), read_row)
    return read_rows(path, _csv_rows(path), read_row)


def _csv_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The rows of a table of commas, in which quotes quote; each with the line where it ends."""
    reader = csv.DictReader(io.StringIO(files.read_text(path), newline=""))
    columns = reader.fieldnames or []
    require(FILE in columns, f"{path}: no column {FILE}, but {', '.join(columns) or 'nothing'}")
    some = any(name in columns for name in TEXTS)
    require(some, f"{path}: no transcripts: name their column {' or '.join(TEXTS[:2])}")
    for row in reader:
        yield reader.line_num, row
