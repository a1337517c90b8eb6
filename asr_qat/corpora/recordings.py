"""The recordings that a model is scored on: those of a manifest, or of a prepared split."""

import dataclasses
import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from asr_qat import files
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.corpora.readers.json_lines import read_json_lines
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError, require
from asr_qat.text.normalizers import (
    OF_TRAINING,
    PLAIN,
    keeps_case,
    scoring_normalizer,
    training_normalizer,
)

_LOGGER = logging.getLogger(__name__)


def recordings(
    data: str | Path, split: str = "test", normalizer: str | None = None
) -> list[Utterance]:
    """The utterances of a manifest, or of a split of a prepared folder.

    Args:
        data: a manifest (see `asr_qat.corpora.readers.json_lines`), or a folder with
            `{split}.jsonl` in it.
        split: which manifest of a folder.
        normalizer: name of the normaliser of the texts; those for one that is of scoring alone are
            as they are written. None for that of the prepared folder, `plain` for others.

    Raises:
        UserError: no such manifest, or a damaged line; or a prepared folder whose texts have lost
            what the normaliser keeps.
    """
    path = files.place(data)
    manifest = path / f"{split}.jsonl" if path.is_dir() else path
    if not manifest.is_file():
        raise UserError(f"{manifest}: no such manifest: run `asr-qat prepare`, or give a .jsonl")
    own = _prepared_with(manifest.parent, manifest.name)
    found = list(read_json_lines(manifest, text_required=True))
    name = normalizer or own or PLAIN
    if own is not None and keeps_case(name) and not keeps_case(own):
        raise UserError(
            f"{manifest}: its texts went through the normaliser {own} and cannot be compared by "
            f"{name}: prepare them with `--normalizer {name}`, or score with --normalizer {own}"
        )
    change = training_normalizer(name) if name in OF_TRAINING else scoring_normalizer(name)
    changed = [dataclasses.replace(item, text=change(item.text)) for item in found]
    if not any(utterance.text for utterance in changed):
        raise UserError(f"{manifest}: no utterances with words by the normaliser {name}")
    return changed if name in OF_TRAINING else found


def read_each(
    items: list[Utterance], sample_rate: int, unread: list[Utterance] | None = None
) -> Iterator[tuple[Utterance, np.ndarray]]:
    """Recordings with their audio, float32 `[samples]`, one after the other.

    Args:
        items: the recordings.
        sample_rate: of the audio.
        unread: those that cannot be read are named and added here: no result of hours should
            depend on one bad file. Without it, such a one is an error.

    Raises:
        UserError: one cannot be read, and it is the only one or `unread` is None; or none can.
    """
    for item in items:
        try:
            audio = item.read(sample_rate)
        except UserError as error:
            if unread is None or len(items) == 1:
                raise
            _LOGGER.warning("left out %s: %s", item.id, error)
            unread.append(item)
        else:
            yield item, audio
    none = unread is not None and len(unread) == len(items)
    require(not none, f"none of {len(items)} recordings can be read, see above")


def skipped_in_preparation(data: str | Path, split: str) -> int:
    """Utterances of a split that `asr-qat prepare` could not use; 0 of a mere manifest."""
    path = files.place(data)
    if not (path.is_dir() and (path / "corpus.json").is_file()):
        return 0
    facts = PreparedFolder(path).corpus["splits"].get(split, {})
    return sum(facts.get("skipped", {}).values())


def _prepared_with(folder: Path, manifest: str) -> str | None:
    """The normaliser of a prepared folder with that manifest as it was made, None for another."""
    if not (folder / "corpus.json").is_file():
        return None
    prepared = PreparedFolder(folder)
    if manifest.removesuffix(".jsonl") in prepared.corpus["splits"]:
        prepared.check(manifest)
    return prepared.normalizer
