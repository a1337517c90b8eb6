"""LibriSpeech by speaker, wherever its recordings lie."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from asr_qat.corpora import librispeech
from asr_qat.corpora.json_lines import read_json_lines
from asr_qat.corpora.utterance import Corpus, Utterance
from asr_qat.errors import require

# 16 speakers of train-clean-5 and two of train-clean-100 are in `librispeech_more`. Held out:
# three speakers of 8,443 words, two of 2,970.
TEST = ("118", "1088", "2416")
DEV = ("1867", "4680")


def six_hours(folders: list[Path]) -> Corpus:
    """The utterances of all folders, with some speakers held out.

    Args:
        folders: in LibriSpeech's layout, or with a `manifest.jsonl` that names the speakers.

    Raises:
        UserError: a folder that is neither, or no utterance of a speaker held out.
    """
    found = [utterance for folder in folders for utterance in _utterances(folder)]
    splits: dict[str, list[Utterance]] = {"train": [], "dev": [], "test": []}
    for utterance in found:
        held_out = {**dict.fromkeys(TEST, "test"), **dict.fromkeys(DEV, "dev")}
        splits[held_out.get(utterance.speaker, "train")].append(utterance)
    for split, speakers in (("test", TEST), ("dev", DEV)):
        present = {utterance.speaker for utterance in splits[split]}
        missing = ", ".join(sorted(set(speakers) - present))
        require(not missing, f"no recordings of LibriSpeech's speakers {missing}, for {split}")
    return Corpus(
        name="librispeech_six_hours",
        description=f"LibriSpeech, read audio books, {len({u.speaker for u in found})} speakers; "
        f"dev is speakers {', '.join(DEV)}, test {', '.join(TEST)}.",
        licence="CC BY 4.0",
        splits=splits,
    )


def _utterances(folder: Path) -> Iterator[Utterance]:
    manifest = folder / "manifest.jsonl"
    if manifest.is_file():
        for utterance in read_json_lines(manifest):
            yield dataclasses.replace(utterance, id=utterance.audio_path.stem)
    else:
        for utterances in librispeech.read(folder).splits.values():
            yield from utterances
