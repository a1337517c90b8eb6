"""LibriSpeech in its official layout, any of its parts.

A folder `train-*`, `dev-*` or `test-*` belongs to the split that its name begins with:
`train-clean-100`, `dev-other`, also `train-clean-5` of Mini LibriSpeech. Several parts of a
split are read together; to score `test-clean` and `test-other` apart, prepare them apart.
Splits without a part are held out of train by whole speakers (see `hold_out`); without a
training part there are just the splits that lie there.
"""

import re
from pathlib import Path

from asr_qat import files
from asr_qat.corpora.readers.hold_out import complete_splits
from asr_qat.corpora.readers.unpack import unpacked
from asr_qat.corpora.utterance import SPLITS, Corpus, Utterance
from asr_qat.errors import UserError

_PART = re.compile(r"(train|dev|test)-(clean|other)(-\d+)?(\.tar\.gz)?")


def parts(folder: Path) -> list[Path]:
    """The part folders, and the archives of parts, directly in `folder`."""
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _PART.fullmatch(path.name))


def read(path: Path) -> Corpus:
    """Read the parts of LibriSpeech in the folder `path`; archives are unpacked.

    Raises:
        UserError: no part, or one without transcripts.
    """
    splits: dict[str, list[Utterance]] = {split: [] for split in SPLITS}
    found = {}
    for part in parts(path):
        name = part.name.removesuffix(".tar.gz")
        if part.is_file():
            part = unpacked(part) / "LibriSpeech" / name
        found[name] = part
    for name, folder in found.items():
        splits[name.split("-")[0]] += _read_part(folder)
    if not found:
        raise UserError(f"{path}: no train-*, dev-* or test-* part of LibriSpeech in it")
    splits, note = complete_splits(splits, str(path))
    return Corpus(
        name="librispeech",
        description=f"LibriSpeech, read audio books: {', '.join(found)}. {note}".strip(),
        licence="CC BY 4.0",
        splits=splits,
    )


def _read_part(folder: Path) -> list[Utterance]:
    texts = {}
    for transcript in sorted(folder.glob("*/*/*.trans.txt")):
        for number, line in enumerate(files.read_lines(transcript), 1):
            name, _, text = line.partition(" ")
            if name.count("-") != 2:
                raise UserError(
                    f"{transcript}: line {number} does not begin with SPEAKER-CHAPTER-NUMBER: "
                    f"{line[:40]!r}: unpack {folder.name} again"
                )
            texts[name] = text
    if not texts:
        raise UserError(f"{folder}: no SPEAKER/CHAPTER/*.trans.txt in it: unpack it again")
    audio = {path.stem: path for path in folder.glob("*/*/*.flac")}
    for name in texts.keys() - audio.keys():  # reported when it is prepared
        speaker, chapter, _ = name.split("-")
        audio[name] = folder / speaker / chapter / f"{name}.flac"
    return [
        Utterance(id=name, audio_path=path, text=texts.get(name, ""), speaker=name.split("-")[0])
        for name, path in sorted(audio.items())
    ]
