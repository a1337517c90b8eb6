"""Your own recordings: JSON-lines manifests, or audio files with a text file beside each.

Manifests are `train.jsonl`, `dev.jsonl` and `test.jsonl`, those that there are (see
`json_lines`); one of another name is `train`. Without manifests, every audio file `x.wav`
takes its words from `x.txt`; folders `train`, `dev` and `test` are the splits, and the first
folder below them names the speaker. Splits that are not there are held out of train, if that
is there (see `hold_out`).
"""

from pathlib import Path

from asr_qat import files
from asr_qat.audio.decode import AUDIO_SUFFIXES
from asr_qat.corpora.hold_out import complete_splits
from asr_qat.corpora.json_lines import read_json_lines
from asr_qat.corpora.splits import check_unique
from asr_qat.corpora.utterance import SPLITS, Corpus, Utterance
from asr_qat.errors import UserError, require


def read(path: Path) -> Corpus:
    """Read a manifest, a folder of manifests or a folder of recordings.

    Raises:
        UserError: nothing to read, or a damaged line of a manifest.
    """
    manifests = {s: path / f"{s}.jsonl" for s in SPLITS if (path / f"{s}.jsonl").exists()}
    if path.is_file():
        manifests = {path.stem if path.stem in SPLITS else "train": path}
    if manifests:
        splits = {split: _read_manifest(file) for split, file in manifests.items()}
    else:
        folders = {split: path / split for split in SPLITS if (path / split).is_dir()}
        folders = folders or {"train": path}
        splits = {split: _read_folder(folder, path) for split, folder in folders.items()}
    if not any(splits.values()):
        suffixes = " ".join(sorted(AUDIO_SUFFIXES))
        raise UserError(f"{path}: neither train.jsonl or test.jsonl nor audio ({suffixes}) in it")
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


def _read_folder(folder: Path, root: Path) -> list[Utterance]:
    utterances = []
    for audio in sorted(folder.rglob("*")):
        if audio.suffix.lower() not in AUDIO_SUFFIXES:
            continue
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
