"""The recordings that a model is scored on: those of a manifest, or of a prepared split."""

import dataclasses
from pathlib import Path

from asr_qat import files
from asr_qat.corpora.json_lines import read_json_lines
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError
from asr_qat.text.normalize import normalize


def recordings(data: str | Path, split: str = "test", normalized: bool = True) -> list[Utterance]:
    """The utterances of a manifest, or of a split of a prepared folder.

    Args:
        data: a manifest (see `asr_qat.corpora.json_lines`), or a folder with `{split}.jsonl`
            in it.
        split: which manifest of a folder.
        normalized: whether texts are normalised as those of the training, or as they are.

    Raises:
        UserError: no such manifest, or a damaged line.
    """
    path = files.place(data)
    manifest = path / f"{split}.jsonl" if path.is_dir() else path
    if not manifest.is_file():
        raise UserError(f"{manifest}: no such manifest: run `asr-qat prepare`, or give a .jsonl")
    found = list(read_json_lines(manifest, text_required=True))
    plain = [dataclasses.replace(item, text=normalize(item.text)) for item in found]
    if not any(utterance.text for utterance in plain):
        raise UserError(f"{manifest}: no utterances with words")
    return plain if normalized else found
