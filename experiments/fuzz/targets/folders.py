"""Model directories and prepared folders, a file of which is changed, lost or another's.

With their checksums nothing may go unnoticed. Some cases are folders as earlier versions wrote
them, without: a value in place of another is not seen there, unless it is one of the weights.
"""

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from asr_qat import files
from asr_qat.corpora.prepare import prepare as prepare_corpus
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.readers.manifest import read
from asr_qat.errors import UserError
from asr_qat.folder_sums import SUMS
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from experiments.fuzz import mutations, structures
from experiments.fuzz.mutations import Chance
from experiments.fuzz.verdict import Verdict

RATE = 16_000  # samples per second
WITHOUT_SUMS = 0.4  # share of the cases
WEIGHTS = "model.weights.h5"
_SHAPE = EncoderConfig(1, dim=8, heads=2, feed_forward=8, kernel=3, subsampling=4)
_FILES = {
    "model": ("config.json", "stats.json", "tokenizer.model", WEIGHTS, SUMS),
    "prepared": ("corpus.json", "stats.json", "tokenizer.model", "train.jsonl", "dev.jsonl", SUMS),
}


@dataclasses.dataclass(frozen=True)
class State:
    """Valid folders.

    Attributes:
        folders: by what they are.
        contents: what is read from them.
    """

    folders: dict[str, Path]
    contents: dict[str, Any]


def prepare(folder: Path) -> State:
    """A prepared folder of a few seconds of noise, and an untrained model for it."""
    chance = np.random.default_rng(0)
    for split in ("train", "dev"):
        for index, text in enumerate(("ONE TWO", "THREE FOUR", "FIVE")):
            path = folder / "corpus" / split / f"{index}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * chance.standard_normal(RATE), RATE)
            path.with_suffix(".txt").write_text(text)
    folders = {kind: folder / kind for kind in _FILES}
    prepare_corpus(read(folder / "corpus"), folders["prepared"], 40, "char", quiet=True)
    words = PreparedFolder(folders["prepared"])
    stats = words.stats
    recogniser = Recogniser.create(ModelConfig(_SHAPE), words.tokenizer, stats.mean, stats.std)
    recogniser.save(folders["model"])
    return State(folders, {kind: _read(kind, path) for kind, path in folders.items()})


def attempt(state: State, chance: Chance, folder: Path) -> Verdict:
    """One of the folders with another file."""
    kind = ("model", "prepared")[chance.integers(2)]
    changed = shutil.copytree(state.folders[kind], folder / kind)
    names = _FILES[kind]
    name = names[chance.integers(len(names))]
    without = chance.random() < WITHOUT_SUMS
    if without:
        (changed / SUMS).unlink()
        _without_facts(changed / "corpus.json")
    if name != SUMS or not without:
        _change(changed / name, state.folders, chance)
    try:
        found = _read(kind, changed)
    except UserError as error:
        named = str(changed) in str(error) and "\n" not in str(error)
        assert named, f"not a line that names the file: {error}"
        return Verdict.REFUSED
    unseen = without and name != WEIGHTS
    same = unseen or _equal(found, state.contents[kind])
    return Verdict.SAME if same else Verdict.DIFFERENT


def _read(kind: str, path: Path) -> Any:
    """All that is in a folder, as the package reads it."""
    if kind == "model":
        found = Recogniser.load(path)
        arrays = [found.mean, found.std, *found.model.get_weights()]
        return arrays, found.config, found.tokenizer.proto
    prepared = PreparedFolder(path)
    splits = {split: prepared.utterances(split) for split in ("train", "dev")}
    shards = [shard.name for split in splits for shard in prepared.shards(split)]
    stats, words = prepared.stats, prepared.tokenizer
    rest = (splits, shards, stats.frames, stats.front_end, prepared.corpus, words.proto)
    return [stats.mean, stats.std], *rest


def _equal(found: Any, expected: Any) -> bool:
    pairs = zip(found[0], expected[0], strict=True)
    return found[1:] == expected[1:] and all(np.array_equal(one, other) for one, other in pairs)


def _without_facts(path: Path) -> None:
    """Remove the checksums from what a prepared folder says of itself."""
    if path.exists():
        content = json.loads(path.read_text())
        del content["files"]
        path.write_text(json.dumps(content))


def _change(path: Path, folders: dict[str, Path], chance: Chance) -> None:
    """Change a file, or put something else in its place."""
    content = path.read_bytes()
    kind = chance.random()
    if path.suffix == ".json" and kind < 0.6:
        changed = structures.change(json.loads(content), chance)
        path.write_text(json.dumps(changed, indent=2, ensure_ascii=bool(chance.integers(2))))
    elif path.suffix == ".jsonl" and kind < 0.6:
        lines = files.read_lines(path)
        at = chance.integers(len(lines))
        lines[at] = json.dumps(structures.change(json.loads(lines[at]), chance))
        path.write_text("\n".join(lines) + "\n")
    elif kind < 0.9:
        change = _BYTES[chance.integers(len(_BYTES))]
        path.write_bytes(change(content, chance))
    else:
        _replace(path, folders, chance)


_BYTES = (mutations.flip, mutations.overwrite, mutations.cut, mutations.remove, mutations.insert)


def _replace(path: Path, folders: dict[str, Path], chance: Chance) -> None:
    """Another file in its place, or none."""
    content = path.read_bytes()
    path.unlink()
    others = [folder / name for kind, folder in folders.items() for name in _FILES[kind]]
    kind = chance.integers(7)
    if kind == 0:
        path.mkdir()
    elif kind == 1:
        path.symlink_to(path)
    elif kind == 2:
        path.write_bytes(b"")
    elif kind == 3:
        shutil.copy(others[chance.integers(len(others))], path)
    elif kind == 4:
        path.write_bytes(chance.bytes(int(chance.integers(3000))))
    elif kind == 5:
        path.write_bytes(content.decode("latin-1").encode("utf-16"))
