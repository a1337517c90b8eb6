"""What a folder or file of recordings is, seen from the names in it and the first lines of files.

The first table has what is looked for. A folder of audio files with text files beside them is
taken for that only if it is nothing else, since most layouts have audio files in them.
"""

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

from asr_qat.audio.decode import AUDIO_SUFFIXES
from asr_qat.corpora import locate
from asr_qat.corpora.readers import (
    audio_folder,
    common_voice,
    hugging_face,
    kaldi,
    lhotse,
    librispeech,
    manifest,
    nemo,
)
from asr_qat.corpora.readers.rows import first_object
from asr_qat.errors import UserError, require


@dataclasses.dataclass(frozen=True)
class Layout:
    """One way in which corpora lie.

    Attributes:
        corpus: name of its reader.
        looked_for: what makes it one, in words.
        evidence: the file or folder that shows it, None if there is none.
    """

    corpus: str
    looked_for: str
    evidence: Callable[[Path], Path | None]


def _first(paths: list[Path]) -> Path | None:
    return paths[0] if paths else None


def _an4(path: Path) -> Path | None:
    found = locate.find("an4", path) if path.is_dir() or path.name.startswith("an4") else None
    return found / "etc/an4_train.fileids" if found and found.is_dir() else found


def _librispeech(path: Path) -> Path | None:
    folder = locate.find("librispeech", path)
    return _first(librispeech.parts(folder)) if folder else None


def _manifest(path: Path) -> Path | None:
    named = [path] if path.suffix == ".jsonl" else manifest.manifests(path)
    return _first([file for file in named if file.is_file() and _is_manifest(file)])


def _is_manifest(file: Path) -> bool:
    return "audio_filepath" in first_object(file)


def _nemo(path: Path) -> Path | None:
    if path.is_file() and path.suffix not in (".json", ".tar"):
        return None
    found = [file for file in nemo.manifests(path) if file.is_file() and _is_manifest(file)]
    own = manifest.manifests(path)  # of the reader of that name
    return _first([file for file in found if file not in own])


def _kaldi(path: Path) -> Path | None:
    return _first([folder / "wav.scp" for folder in kaldi.directories(path)])


def _lhotse(path: Path) -> Path | None:
    shar = lhotse.shar_folders(path)
    if shar:
        return min(shar[0].glob(lhotse.SHAR))
    if path.is_file() and not path.name.endswith((".jsonl", ".jsonl.gz")):
        return None
    found = lhotse.manifests(path)
    return _first(found.get(lhotse.CUTS) or found.get(lhotse.SUPERVISIONS) or [])


def _hugging_face(path: Path) -> Path | None:
    if path.is_file():
        return path if path.suffix == ".parquet" else None
    saved = hugging_face.saved(path)
    if saved:
        return saved[0] / hugging_face.STATE
    return next(path.rglob("*.parquet"), None)


def _audio_folder(path: Path) -> Path | None:
    if path.is_file() and path.name not in audio_folder.NAMES:
        return None
    return _first([file for file in audio_folder.tables(path) if audio_folder.is_table(file)])


def _common_voice(path: Path) -> Path | None:
    if path.is_file() and path.suffix != ".tsv":
        return None
    tables = common_voice.tables(path).values()
    return _first([file for file in tables if common_voice.is_table(file)])


def _recordings(path: Path) -> Path | None:
    """An audio file with a text file beside it."""
    for folder, _, names in os.walk(path):
        known = set(names)
        for name in sorted(names):
            stem, suffix = os.path.splitext(name)
            if suffix.lower() in AUDIO_SUFFIXES and f"{stem}.txt" in known:
                return Path(folder) / name
    return None


LAYOUTS = (
    Layout("an4", "etc/an4_train.fileids or an4_sphere.tar.gz", _an4),
    Layout("librispeech", "train-clean-100 and the like", _librispeech),
    Layout("manifest", "train.jsonl with audio_filepath", _manifest),
    Layout("nemo", "*.json with audio_filepath or tarred_audio_manifest.json", _nemo),
    Layout("kaldi", "wav.scp", _kaldi),
    Layout("lhotse", "cuts or supervisions in *.jsonl.gz, Shar", _lhotse),
    Layout("huggingface", "state.json of save_to_disk, *.parquet", _hugging_face),
    Layout("audiofolder", "metadata.csv or metadata.jsonl with file_name", _audio_folder),
    Layout("common-voice", "train.tsv or validated.tsv with client_id", _common_voice),
)
RECORDINGS = Layout("manifest", "audio files with a .txt beside each", _recordings)


def recognise(path: str | Path) -> tuple[str, str]:
    """Which reader a corpus is for, and what shows it.

    Args:
        path: a file or folder, or several files by NeMo's braces.

    Returns:
        The name of the reader, and the path of the file or folder that it was known by.

    Raises:
        UserError: nothing there, nothing known, or more than one layout.
    """
    path = Path(path)
    braces = len(nemo.expand_braces(str(path))) > 1
    require(
        braces or path.exists(), f"{path}: no such file or folder: name your corpus with --data"
    )
    layouts = [layout for layout in LAYOUTS if layout.corpus == "nemo" or not braces]
    found = [(layout.corpus, seen) for layout in layouts if (seen := layout.evidence(path))]
    if not found and (seen := RECORDINGS.evidence(path)):
        found = [(RECORDINGS.corpus, seen)]
    if len(found) == 1:
        return found[0][0], str(found[0][1])
    if found:
        several = " and ".join(f"{corpus} ({seen})" for corpus, seen in found)
        raise UserError(f"{path}: looks like {several}: say which with --corpus")
    looked_for = "; ".join(layout.looked_for for layout in (*LAYOUTS, RECORDINGS))
    raise UserError(f"{path}: no corpus in it that is known; looked for: {looked_for}")
