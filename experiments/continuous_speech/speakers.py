"""LibriSpeech by speaker, wherever its recordings lie."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

from asr_qat.corpora.readers import librispeech
from asr_qat.corpora.readers.json_lines import read_json_lines
from asr_qat.corpora.utterance import Corpus, Utterance
from asr_qat.errors import require

# 28 speakers of Mini LibriSpeech's train-clean-5, and 26 and 27, all of train-clean-100. The words
# of those held out: 8,443 and 2,970.
TEST = ("118", "1088", "2416")
DEV = ("1867", "4680")
TRAIN = (
    *("19", "26", "27", "32", "163", "226", "332", "460", "669", "1737", "1898", "1970", "2136"),
    *("3242", "3526", "3664", "3947", "4640", "5789", "6272", "6848", "7312", "7367", "7859"),
    "8629",
)


def six_hours(folders: list[Path]) -> Corpus:
    """What these thirty speakers read, as far as it is in `folders`; others are left out.

    Args:
        folders: in LibriSpeech's layout, or with a `manifest.jsonl` that names the speakers.

    Raises:
        UserError: a folder that is neither, or no utterance of one of the speakers.
    """
    found = [utterance for folder in folders for utterance in _utterances(folder)]
    speakers = {"train": TRAIN, "dev": DEV, "test": TEST}
    splits = {split: [u for u in found if u.speaker in ids] for split, ids in speakers.items()}
    missing = {*TRAIN, *DEV, *TEST} - {utterance.speaker for utterance in found}
    require(not missing, f"no recordings of LibriSpeech's speakers {', '.join(sorted(missing))}")
    return Corpus(
        name="librispeech_six_hours",
        description=f"LibriSpeech, read audio books, {len(TRAIN)} speakers; dev is speakers "
        f"{', '.join(DEV)}, test {', '.join(TEST)}.",
        licence="CC BY 4.0",
        splits=splits,
    )


def _utterances(folder: Path) -> Iterator[Utterance]:
    manifest = folder / "manifest.jsonl"
    if manifest.is_file():
        for utterance in read_json_lines(manifest):
            yield dataclasses.replace(utterance, id=Path(str(utterance.audio_path)).stem)
    else:
        for utterances in librispeech.read(folder).splits.values():
            yield from utterances
