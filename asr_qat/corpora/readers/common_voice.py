"""Common Voice: one language of a release.

The folder holds `clips/` and tables of tabs, `train.tsv`, `dev.tsv` and `test.tsv`, or
`validated.tsv` alone, whose speakers are then held out. The official splits have each sentence
once, so they are a part of `validated.tsv`. Quotes in sentences are letters: nothing is quoted.
"""

from pathlib import Path

from asr_qat.corpora.readers.rows import read_rows, text_rows
from asr_qat.corpora.readers.splits import made_corpus
from asr_qat.corpora.utterance import SPLITS, Corpus, Utterance
from asr_qat.errors import require

COLUMNS = ("client_id", "path", "sentence")
_CLIPS = "clips"


def tables(path: Path) -> dict[str, Path]:
    """The tables at `path` by split: a folder's, or one that is given."""
    if path.is_file():
        return {path.stem if path.stem in SPLITS else "train": path}
    found = {split: path / f"{split}.tsv" for split in SPLITS if (path / f"{split}.tsv").is_file()}
    validated = path / "validated.tsv"
    return found or ({"train": validated} if validated.is_file() else {})


def is_table(path: Path) -> bool:
    """Whether a file begins with the columns of Common Voice."""
    with path.open("rb") as file:
        first = file.readline(1 << 16).decode("utf-8-sig", "replace")
    return set(COLUMNS) <= set(first.strip().split("\t"))


def read(path: Path) -> Corpus:
    """Read a language's folder, or one of its tables.

    Raises:
        UserError: no table, or damaged rows.
    """
    found = tables(path)
    require(bool(found), f"{path}: neither train.tsv nor validated.tsv in it")
    return made_corpus(
        "common-voice", path, {split: _read_table(table) for split, table in found.items()}
    )


def _read_table(path: Path) -> list[Utterance]:
    rows = text_rows(path)
    columns = rows[0][1].split("\t") if rows else []
    absent = [name for name in COLUMNS if name not in columns]
    require(not absent, f"{path}: no column {' or '.join(absent)}: expected a table of a release")
    clips = path.parent / _CLIPS

    def read_row(line: str, where: str) -> Utterance:
        cells = line.split("\t")
        require(len(cells) == len(columns), f"{len(cells)} cells, expected {len(columns)}")
        row = dict(zip(columns, cells, strict=True))
        require(bool(row["path"]), "no path of a clip")
        clip = clips / row["path"]
        return Utterance(
            id=clip.stem,
            audio_path=clip if clip.suffix else clip.with_suffix(".mp3"),  # as in release 1
            text=row["sentence"],
            speaker=row["client_id"],
            where=where,
        )

    return read_rows(path, rows[1:], read_row)
