"""Lhotse's manifests: cuts, recordings with supervisions, and Shar; read without Lhotse.

A folder holds `*.jsonl` or `*.jsonl.gz`, of which the first line says the kind. The file's name
says the split, `cuts_train.jsonl.gz`, `librispeech_recordings_dev-clean.jsonl.gz`, else train;
where there are cuts, recordings and supervisions are left alone. A Shar folder holds
`cuts.000000.jsonl.gz` and `recording.000000.tar`, and so on; its name says the split, or `train`,
`dev` and `test` are folders of it.

Each supervision is an utterance; a cut without one has no transcript. Mixed cuts, changed speed
and single channels of several are refused: they are not what was recorded.
"""

import itertools
from pathlib import Path
from typing import Any

from asr_qat.audio.inside import AudioSource, FileRange
from asr_qat.corpora.readers.lhotse_entries import file_of, of_cut, of_supervision
from asr_qat.corpora.readers.rows import first_object, json_object, read_rows, text_rows
from asr_qat.corpora.readers.splits import made_corpus, split_of
from asr_qat.corpora.readers.tar_members import tar_members
from asr_qat.corpora.utterance import SPLITS, Corpus, Utterance
from asr_qat.errors import require

CUTS, RECORDINGS, SUPERVISIONS = "cuts", "recordings", "supervisions"
SHAR = "cuts.*.jsonl*"


def kind(path: Path) -> str | None:
    """Which of Lhotse's manifests a file is, None for another file."""
    first = first_object(path)
    if first.get("type") in ("MonoCut", "MultiCut", "MixedCut"):
        return CUTS
    if "sources" in first and "num_samples" in first:
        return RECORDINGS
    return SUPERVISIONS if "recording_id" in first and "start" in first else None


def manifests(path: Path) -> dict[str, list[Path]]:
    """The manifests in a folder, or the one that is given, by kind."""
    files = sorted([*path.glob("*.jsonl"), *path.glob("*.jsonl.gz")]) if path.is_dir() else [path]
    found: dict[str, list[Path]] = {}
    for file in files:
        if name := kind(file):
            found.setdefault(name, []).append(file)
    return found


def shar_folders(path: Path) -> list[Path]:
    """The folders of Shar at `path`."""
    for pattern in (SHAR, f"*/{SHAR}"):
        found = {file.parent for file in path.glob(pattern)}
        shar = sorted(folder for folder in found if any(folder.glob("recording.*.tar")))
        if shar:
            return shar
    return []


def read(path: Path) -> Corpus:
    """Read manifests or Shar.

    Raises:
        UserError: none in it, damaged lines, or recordings that are not there.
    """
    splits: dict[str, list[Utterance]] = {split: [] for split in SPLITS}
    for folder in shar_folders(path):
        for file in sorted(folder.glob(SHAR)):
            splits[split_of(folder.absolute().name)] += _read_shard(file)
    if not any(splits.values()):
        found = manifests(path)
        for file in found.get(CUTS, []):
            splits[split_of(file.name)] += _read_cuts(file)
        if CUTS not in found:
            recordings = _read_recordings(found.get(RECORDINGS, []))
            for file in found.get(SUPERVISIONS, []):
                splits[split_of(file.name)] += _read_supervisions(file, recordings)
    return made_corpus("lhotse", path, splits)


def _read_cuts(path: Path) -> list[Utterance]:
    def read_line(line: str, where: str) -> list[Utterance]:
        return of_cut(json_object(line), where, path.parent, file_of)

    return list(itertools.chain.from_iterable(read_rows(path, text_rows(path), read_line)))


def _read_shard(path: Path) -> list[Utterance]:
    """The cuts of one shard; their audio has their names in its tar file."""
    tar = path.with_name(
        path.name.replace("cuts.", "recording.", 1).partition(".jsonl")[0] + ".tar"
    )
    members = {
        name.rpartition(".")[0]: member
        for name, member in tar_members(tar).items()
        if not name.endswith((".json", ".nodata", ".nometa"))
    }

    def read_line(line: str, where: str) -> list[Utterance]:
        cut = json_object(line)

        def find(recording: dict[str, Any], folder: Path) -> FileRange:
            name = str(cut.get("id"))
            require(name in members, f"no audio of {name!r} in {tar.name}")
            return members[name]

        return of_cut(cut, where, path.parent, find)

    return list(itertools.chain.from_iterable(read_rows(path, text_rows(path), read_line)))


def _read_recordings(paths: list[Path]) -> dict[str, tuple[dict[str, Any], AudioSource]]:
    found: dict[str, tuple[dict[str, Any], AudioSource]] = {}
    for path in paths:

        def read_line(line: str, where: str, folder: Path = path.parent) -> None:
            recording = json_object(line)
            found[str(recording.get("id"))] = recording, file_of(recording, folder)

        read_rows(path, text_rows(path), read_line)
    return found


def _read_supervisions(
    path: Path, recordings: dict[str, tuple[dict[str, Any], AudioSource]]
) -> list[Utterance]:
    def read_line(line: str, where: str) -> Utterance:
        return of_supervision(json_object(line), where, recordings)

    return read_rows(path, text_rows(path), read_line)
