"""Your own recordings: JSON-lines manifests, or audio files with a text file beside each.

Manifests are `train.jsonl`, `dev.jsonl` and `test.jsonl`, those that there are (see
`json_lines`); one of another name is `train`. Without manifests, every audio file `x.wav`
takes its words from `x.txt`; folders `train`, `dev` and `test` are the splits, and the first
folder below them names the speaker. `valid`, `validation`, `eval` and other usual names of
splits (see `splits`) are as good. Splits that are not there are held out of train, if that is
there (see `hold_out`).
"""

from pathlib import Path

from asr_qat import files
from asr_qat.audio.decode import KNOWN_SUFFIXES, is_audio, recordings_below
from asr_qat.corpora.readers.hold_out import complete_splits
from asr_qat.corpora.readers.json_lines import read_json_lines
from asr_qat.corpora.readers.splits import check_unique, split_named
from asr_qat.corpora.utterance import SPLITS, Corpus, Utterance
from asr_qat.errors import UserError, require
from asr_qat.notices import notice


def manifests(path: Path) -> list[Path]:
    """The manifests that are named after a split, in the folder `path`."""
    return sorted(file for file in path.glob("*.jsonl") if split_named(file.stem))


def read(path: Path) -> Corpus:
    """Read a manifest, a folder of manifests or a folder of recordings.

    Raises:
        UserError: nothing to read, or a damaged line of a manifest.
    """
    splits: dict[str, list[Utterance]] = {split: [] for split in SPLITS}
    files_of_lines = [path] if path.is_file() else manifests(path)
    for file in files_of_lines:
        splits[split_named(file.stem) or "train"] += _read_manifest(file)
    if not files_of_lines:
        folders = _split_folders(path)
        for folder in folders:
            splits[split_named(folder.name) or "train"] += _read_folder(folder, path)
        splits["train"] += [] if folders else _read_folder(path, path)
    if not any(splits.values()):
        neither = f"neither train.jsonl or test.jsonl nor audio ({KNOWN_SUFFIXES}) in it"
        raise UserError(f"{path}: {neither}")
    check_unique(path, splits)
    splits, note = complete_splits(splits, str(path))
    return Corpus(
        name="manifest",
        description=f"Recordings of {path.name}. {note}".strip(),
        licence="as its owner says",
        splits=splits,
    )


def _read_manifest(path: Path) -> list[Utterance]:
    utterances = read_json_lines(path)
    require(bool(utterances), f"{path}: no utterance in it: write one JSON object a line")
    return utterances


def _split_folders(path: Path) -> list[Path]:
    """The folders that are splits; that there are recordings beside them is said."""
    folders = sorted(place for place in path.iterdir() if place.is_dir())
    found = [folder for folder in folders if split_named(folder.name)]
    others = [place for place in path.iterdir() if place not in found] if found else []
    left = (file for place in others for file in (place, *place.rglob("*")) if is_audio(file))
    if first := next(left, None):
        names = ", ".join(folder.name for folder in found)
        notice("left out", f"{first}: in none of {names}: left out")
    return found


def _read_folder(folder: Path, root: Path) -> list[Utterance]:
    utterances = []
    for audio in recordings_below(folder):
        transcript = audio.with_suffix(".txt")
        within = audio.relative_to(folder).parts
        utterances.append(
            Utterance(
                id=str(audio.relative_to(root).with_suffix("")),
                audio_path=audio,
                text=files.read_text(transcript) if transcript.exists() else "",
                speaker=within[0] if len(within) > 1 else "",
            )
        )
    return utterances
