"""Kaldi's data directories: `wav.scp`, `text`, and, as far as there are any, `segments`, `utt2spk`.

Either one directory, or a folder of several; the first word of their names that says a split is
theirs (`train_clean_100`, `dev`, `eval2000`), else train.
"""

from collections.abc import Callable, Set
from pathlib import Path
from typing import TypeVar

from asr_qat.audio.inside import AudioSource
from asr_qat.corpora.readers.kaldi_audio import kaldi_audio
from asr_qat.corpora.readers.rows import read_rows, text_rows
from asr_qat.corpora.readers.splits import made_corpus, named_files
from asr_qat.corpora.utterance import Corpus, Utterance
from asr_qat.counted import counted
from asr_qat.errors import UserError, require
from asr_qat.notices import notice

Value = TypeVar("Value")
NAMED_DIRECTORIES = 5  # of those that have transcripts without audio


def directories(path: Path) -> list[Path]:
    """The data directories at `path`."""
    if (path / "wav.scp").is_file():
        return [path]
    return sorted(file.parent for file in path.glob("*/wav.scp"))


def read(path: Path) -> Corpus:
    """Read a data directory, or a folder of them.

    Raises:
        UserError: no `wav.scp` or `text`, damaged lines, or pipes (see `kaldi_audio`).
    """
    splits = named_files([folder.absolute() for folder in directories(path)])
    require(bool(splits), f"{path}: no wav.scp in it, nor in a folder in it")
    return made_corpus(
        "kaldi",
        path,
        {
            split: [item for folder in folders for item in _read_directory(folder)]
            for split, folders in splits.items()
        },
    )


def _read_directory(folder: Path) -> list[Utterance]:
    require((folder / "text").is_file(), f"{folder}: no `text` with the transcripts in it")
    audio = _table(folder / "wav.scp", lambda entry: kaldi_audio(entry, folder))
    texts = _table(folder / "text", str, empty=True)
    speakers = _table(folder / "utt2spk", str)
    segments = _table(folder / "segments", lambda entry: _segment(entry, audio))
    if not segments:
        segments = {name: (source, 0.0, None) for name, source in audio.items()}
    _say_lost(folder / "text", texts.keys() - segments.keys())
    where = folder / ("segments" if (folder / "segments").is_file() else "wav.scp")
    return [
        Utterance(
            id=name,
            audio_path=source,
            text=texts.get(name, ""),
            speaker=speakers.get(name, ""),
            offset=start,
            duration=None if end is None else end - start,
            where=f"{where}: {name}",
        )
        for name, (source, start, end) in segments.items()
    ]


def _say_lost(path: Path, names: Set[str]) -> None:
    """Transcripts that no recording goes with, as Kaldi's `fix_data_dir.sh` drops them."""
    if names:
        number = counted(len(names), "transcript")
        message = f"{path}: {number} without audio, such as {min(names)}: left out"
        notice("transcripts without audio", message, NAMED_DIRECTORIES)


def _table(path: Path, value: Callable[[str], Value], empty: bool = False) -> dict[str, Value]:
    """The values of a Kaldi table by name, `NAME VALUE` on each line; {} if it is not there."""

    def read_line(line: str, where: str) -> tuple[str, Value]:
        name, _, rest = line.strip(" \t").replace("\t", " ").partition(" ")
        require(bool(rest.strip(" ")) or empty, "a name without a value")
        require(name not in seen, f"{name!r} a second time")
        seen.add(name)
        return name, value(rest.strip(" "))

    seen: set[str] = set()
    return dict(read_rows(path, text_rows(path), read_line)) if path.is_file() else {}


def _segment(entry: str, audio: dict[str, AudioSource]) -> tuple[AudioSource, float, float | None]:
    """The recording and its seconds from and to; -1 is its end."""
    words = entry.split()
    try:
        recording, start, end = words[0], float(words[1]), float(words[2])
    except (IndexError, ValueError):
        raise UserError("expected `UTTERANCE RECORDING SECONDS SECONDS`") from None
    require(recording in audio, f"recording {recording!r} is not in wav.scp")
    require(0 <= start and (start < end or end == -1), f"from {start:g} s to {end:g} s is nothing")
    return audio[recording], start, None if end == -1 else end
