"""Speech whose words nobody has to know, such as a model is calibrated on."""

from pathlib import Path

import numpy as np

from asr_qat import files
from asr_qat.audio.decode import is_audio, recordings_below
from asr_qat.corpora.readers.json_lines import read_json_lines
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError, require

MANIFESTS = (".jsonl", ".json")


def speech(data: str | Path, limit: int, seed: int = 0) -> list[Utterance]:
    """At most `limit` recordings, drawn at random.

    Args:
        data: a prepared folder, whose training split is used; any other folder, with all
            recordings in it and below; a manifest; or one recording.
        limit: recordings.
        seed: of the draw.

    Raises:
        UserError: no such data, nothing in it, or a limit below 1.
    """
    require(limit >= 1, f"{limit} utterances to calibrate on: expected 1 or more")
    found = _found(files.place(data))
    require(bool(found), f"{data}: no recording in it")
    order = np.random.default_rng(seed).permutation(len(found))
    return [found[i] for i in order[:limit]]


def _found(path: Path) -> list[Utterance]:
    manifest = path / "train.jsonl"
    if path.is_dir() and manifest.is_file():
        return read_json_lines(manifest)
    if path.is_dir():
        return [_recording(file) for file in recordings_below(path)]
    if path.suffix.lower() in MANIFESTS and path.is_file():
        return read_json_lines(path)
    if is_audio(path) and path.is_file():
        return [_recording(path)]
    raise UserError(
        f"{path}: no speech to calibrate on: give a prepared folder, a folder of recordings or a "
        "manifest (.jsonl)"
    )


def _recording(file: Path) -> Utterance:
    return Utterance(id=str(file), audio_path=file, text="", speaker="")
