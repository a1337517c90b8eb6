"""NeMo's manifests, and its tarred sets as `convert_to_tarred_audio_dataset.py` writes them.

A manifest is any `*.json` or `*.jsonl` of JSON lines with `audio_filepath` (see `json_lines`);
its name says the split: `train_manifest.json`, `dev-clean.json`, else train. A tarred set is a
folder with `tarred_audio_manifest.json`, or with `sharded_manifests/manifest_0.json` and so on,
and `audio_0.tar`, ...; the folder's name says the split, or `train`, `dev` and `test` are folders
of it, or it has buckets (`bucket1`, ...). Where NeMo's configurations name many files by braces,
`audio__OP_0..127_CL_.tar` or `manifest_{0..127}.json`, so can `--data`.
"""

import dataclasses
import functools
import itertools
import re
from pathlib import Path
from typing import Any

from asr_qat.audio.inside import FileRange
from asr_qat.corpora.readers.json_lines import read_json_lines
from asr_qat.corpora.readers.rows import first_object
from asr_qat.corpora.readers.splits import made_corpus, split_of
from asr_qat.corpora.readers.tar_members import tar_members
from asr_qat.corpora.utterance import SPLITS, Corpus, Utterance
from asr_qat.errors import UserError, require

TARRED = "tarred_audio_manifest*.json"
_SHARDED = "sharded_manifests/manifest*.json"
_BRACES = re.compile(r"(.*?)(?:_OP_|[{(\[<])(\d+)\.\.(\d+)(?:_CL_|[})\]>])(.*)")
_SHARD = re.compile(r"(?:audio|manifest)[^/]*?_(\d+)[^/]*\.(?:tar|jsonl?)")
_SUB = re.compile(r"-sub\d+$")  # parts after the first of one recording


def read(path: Path) -> Corpus:
    """Read manifests or tarred sets.

    Raises:
        UserError: nothing to read, a damaged line, or a recording that no tar file has.
    """
    splits: dict[str, list[Utterance]] = {split: [] for split in SPLITS}
    for manifest in manifests(path):
        tars = _tars(manifest)
        named = manifest.stem if not tars else _set_folder(manifest).absolute().name
        utterances = _read_tarred(manifest, tars) if tars else read_json_lines(manifest)
        splits[split_of(named)] += utterances
    return made_corpus("nemo", path, splits)


def manifests(path: Path) -> list[Path]:
    """The manifests at `path`: files that braces name, a file, or those of a folder."""
    expanded = [Path(name) for name in expand_braces(str(path))]
    if len(expanded) > 1 or not path.is_dir():
        if expanded[0].suffix != ".tar":
            return expanded
        return manifests(expanded[0].parent)
    for folders in ([path], sorted(place for place in path.iterdir() if place.is_dir())):
        tarred = [found for folder in folders for found in _tarred(folder)]
        if tarred:
            return tarred
    named = itertools.chain(path.glob("*.json"), path.glob("*.jsonl"))
    return [file for file in sorted(named) if "audio_filepath" in first_object(file)]


def expand_braces(name: str) -> list[str]:
    """The names that `a__OP_0..2_CL_.tar` or `a_{0..2}.tar` stands for; else the name."""
    match = _BRACES.fullmatch(name)
    if match is None:
        return [name]
    before, first, last, after = match.groups()
    return [f"{before}{number}{after}" for number in range(int(first), int(last) + 1)]


def _tarred(folder: Path) -> list[Path]:
    """The manifests of a tarred set: of several versions of one the last, which has them all."""
    whole = sorted(folder.glob(TARRED), key=lambda path: (len(path.name), path.name))
    return whole[-1:] or sorted(folder.glob(_SHARDED), key=_shard)


def _set_folder(manifest: Path) -> Path:
    """The folder of a tarred set."""
    folder = manifest.parent
    return folder.parent if folder.name == "sharded_manifests" else folder


def _tars(manifest: Path) -> dict[int, Path]:
    """The tar files that belong to a manifest, by shard; none if it is an ordinary one."""
    found = {_shard(path): path for path in _set_folder(manifest).glob("audio*.tar")}
    return {shard: path for shard, path in found.items() if shard >= 0}


def _shard(path: Path) -> int:
    match = _SHARD.fullmatch(path.name)
    return int(match[1]) if match else -1


def _read_tarred(manifest: Path, tars: dict[int, Path]) -> list[Utterance]:
    members = functools.cache(_members)

    def source(folder: Path, entry: dict[str, Any]) -> FileRange:
        shard = entry.get("shard_id", _shard(manifest) if len(tars) > 1 else next(iter(tars)))
        name = entry["audio_filepath"]
        require(shard in tars, f"{name}: shard_id {shard!r}, but no such audio_*.tar")
        stem = name.rpartition(".")[0] or name
        # Each recording is stored once, and after `--force_codec` with another suffix.
        for known in (name, stem, _SUB.sub("", stem)):
            if known in members(tars[shard]):
                return members(tars[shard])[known]
        raise UserError(f"{name} is not in {tars[shard]}: make the set again")

    found = read_json_lines(manifest, source=source)
    return [dataclasses.replace(item, id=f"{_tar_name(item)}/{item.id}") for item in found]


def _tar_name(utterance: Utterance) -> str:
    """One recording may have parts, with equal names, in several tar files."""
    assert isinstance(utterance.audio_path, FileRange)
    return utterance.audio_path.path.stem


def _members(tar: Path) -> dict[str, FileRange]:
    """The recordings of a tar file by name, with its suffix and without."""
    found = tar_members(tar)
    return {name.rpartition(".")[0]: member for name, member in found.items()} | found
