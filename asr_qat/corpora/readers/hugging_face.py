"""Datasets of Hugging Face on the disk: Arrow of `save_to_disk`, and Parquet.

`save_to_disk` writes a folder with `state.json`, or one for each split and `dataset_dict.json`.
Parquet files are named after their split, or their folders are:
`data/train-00000-of-00002.parquet`. The recordings are in a column of kind Audio, the words in one
of `audio_folder.TEXTS`, a speaker may be in one of `audio_folder.SPEAKERS`.

Needs pyarrow, of the extra `hf`. Bytes of recordings stay where they are until each is read.
"""

import dataclasses
import itertools
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from asr_qat import files
from asr_qat.audio.inside import AudioSource, FileRange, ParquetCell
from asr_qat.corpora.readers.audio_folder import SPEAKERS, TEXTS
from asr_qat.corpora.readers.splits import beside, made_corpus, split_of
from asr_qat.corpora.utterance import SPLITS, Corpus, Utterance
from asr_qat.errors import UserError, require

STATE, DICTIONARY = "state.json", "dataset_dict.json"
_IDS = ("id", "utterance_id")


def saved(path: Path) -> list[Path]:
    """The folders of `save_to_disk` at `path`, one for each split."""
    if (path / DICTIONARY).is_file():
        content = files.read_json(path / DICTIONARY)
        splits = content.get("splits", []) if isinstance(content, dict) else []
        return [path / str(split) for split in splits]
    return [path] if (path / STATE).is_file() and _data_files(path) else []


def parquet_files(path: Path) -> list[Path]:
    """The Parquet files at `path`."""
    return sorted(path.rglob("*.parquet")) if path.is_dir() else [path]


def read(path: Path) -> Corpus:
    """Read a saved dataset, or Parquet files.

    Raises:
        UserError: none in it, or without columns of recordings and transcripts.
        ModuleNotFoundError: pyarrow is not there.
    """
    splits: dict[str, list[Utterance]] = {split: [] for split in SPLITS}
    folders = saved(path)
    for folder in folders:
        for name in _data_files(folder):
            splits[split_of(folder.absolute().name)] += _read_arrow(folder / name)
    for file in [] if folders else parquet_files(path):
        splits[_split_of_file(file, path)] += _read_parquet(file)
    return made_corpus("huggingface", path, _distinct(splits))


def _distinct(splits: dict[str, list[Utterance]]) -> dict[str, list[Utterance]]:
    """With the number of its row in the name of each, if ids or names of files are not unique.

    In FLEURS, say, they are those of sentences, which several speakers have read.
    """
    names = [item.id for items in splits.values() for item in items]
    if len(set(names)) == len(names):
        return splits
    return {
        split: [
            dataclasses.replace(item, id=f"{split}-{number}-{item.id}")
            for number, item in enumerate(items)
        ]
        for split, items in splits.items()
    }


def _data_files(folder: Path) -> list[str]:
    content = files.read_json(folder / STATE)
    listed = content.get("_data_files", []) if isinstance(content, dict) else []
    return [str(entry.get("filename")) for entry in listed if isinstance(entry, dict)]


def _split_of_file(file: Path, root: Path) -> str:
    """By its name, else by its folders, from the nearest one on."""
    inside = file.relative_to(root).parts if root.is_dir() else (file.name,)
    named = (split_of(part, "") for part in reversed(inside))
    return next(filter(None, named), "train")


def _read_arrow(path: Path) -> list[Utterance]:
    """Recordings are ranges of bytes: the format is not compressed, and the file mapped."""
    import pyarrow as pa

    try:
        mapped = pa.memory_map(str(path))
        table = pa.ipc.open_stream(mapped).read_all()
    except FileNotFoundError:
        raise UserError(f"{path}: missing: copy it again") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: damaged ({error}): copy it again") from None
    base = mapped.read_buffer(mapped.size()) if mapped.seek(0) == 0 else None
    assert base is not None
    audio = _audio_column(table.schema, path)
    paths, sources = [], []
    for chunk in table.column(audio).chunks:
        named = chunk.field("path").to_pylist()
        paths += named
        sources += [
            FileRange(path, name or f"{audio}-{index}", start, length)
            if length
            else beside(path.parent, name or "")
            for index, (name, (start, length)) in enumerate(
                zip(named, _ranges(chunk.field("bytes"), base, path), strict=True)
            )
        ]
    rows = table.drop_columns([audio]).to_pylist()
    return _utterances(path, rows, paths, sources)


def _ranges(values: Any, base: Any, path: Path) -> Iterator[tuple[int, int]]:
    """Start in the file and length of each binary value; lengths of 0 where there is none."""
    import numpy as np
    import pyarrow as pa

    wide = pa.types.is_large_binary(values.type)
    if values.null_count == len(values) or not (wide or pa.types.is_binary(values.type)):
        return ((0, 0) for _ in range(len(values)))
    _, offsets, content = values.buffers()
    ends = np.frombuffer(offsets, np.int64 if wide else np.int32)
    ends = ends[values.offset : values.offset + len(values) + 1]
    first = content.address - base.address
    mapped = 0 <= first <= base.size - content.size
    require(mapped, f"{path}: compressed Arrow: save it again with `save_to_disk`")
    return ((first + int(a), int(b - a)) for a, b in itertools.pairwise(ends))


def _read_parquet(path: Path) -> list[Utterance]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.ParquetFile(path)
        audio = _audio_column(table.schema_arrow, path)
        others = [name for name in table.schema_arrow.names if name in (*_IDS, *TEXTS, *SPEAKERS)]
        rows = table.read([*others, f"{audio}.path"], use_threads=False).to_pylist()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise UserError(f"{path}: damaged ({error}): copy it again") from None
    paths = [(row.pop(audio) or {}).get("path") for row in rows]
    sources: list[AudioSource] = [ParquetCell(path, audio, row) for row in range(len(rows))]
    return _utterances(path, rows, paths, sources)


def _audio_column(schema: Any, path: Path) -> str:
    """The column of kind Audio, by what `datasets` wrote of it, else by its type."""
    described = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
    features = described.get("info", {}).get("features") or {}
    for name, feature in features.items():
        audio = isinstance(feature, dict) and feature.get("_type") == "Audio"
        if audio and name in schema.names:
            return str(name)
    for field in schema:
        parts = [field.type.field(i).name for i in range(field.type.num_fields)]
        if {"bytes", "path"} <= set(parts):
            return str(field.name)
    raise UserError(f"{path}: no column of kind Audio, but {', '.join(schema.names)}")


def _utterances(
    path: Path,
    rows: Sequence[dict[str, Any]],
    paths: Sequence[str | None],
    sources: Sequence[AudioSource],
) -> list[Utterance]:
    columns = rows[0].keys() if rows else ()
    text = next((name for name in TEXTS if name in columns), "")
    have = ", ".join(columns)
    require(
        bool(text) or not rows,
        f"{path}: no transcripts among {have}: name their column {' or '.join(TEXTS[:2])}",
    )
    speaker = next((name for name in SPEAKERS if name in columns), None)
    own = next((name for name in _IDS if name in columns), None)
    found = []
    for number, (row, name, source) in enumerate(zip(rows, paths, sources, strict=True)):
        said = row[speaker] if speaker else None
        identity = row[own] if own else None
        found.append(
            Utterance(
                id=str(identity) if identity is not None else f"{path.stem}-{name or number}",
                audio_path=source,
                text=str(row[text] or ""),
                speaker="" if said is None else str(said),
                where=f"{path}: row {number}",
            )
        )
    return found
