"""What decides the outcome of a cell: two equal fingerprints are the same work."""

import dataclasses
import hashlib
import json
from typing import Any

from asr_qat.config import from_dict
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.models.model_directory import weights_checksum
from experiments.study.cell_rows import Fingerprint
from experiments.study.planned_cells import PlannedCell

# Where files lie and how often an interrupted training is saved decides nothing.
PLACES = ("data", "output", "start", "quantization", "checkpoint_minutes")


def fingerprint(cell: PlannedCell, corpus: str) -> Fingerprint:
    """Method, precisions, training, start, corpus and what is scored.

    Values that are the default are omitted, so that a setting which a later version adds does
    not make other work of what is finished.

    Args:
        cell: to describe.
        corpus: `corpus_checksum` of the prepared folder.

    Raises:
        UserError: `start` is no model directory.
    """
    start = cell.training.start
    training = {k: v for k, v in not_default(cell.training).items() if k not in PLACES}
    found = Fingerprint(
        method=cell.method,
        quantization=None if cell.quantization is None else not_default(cell.quantization),
        training=training,
        start=None if start is None else weights_checksum(start),
        corpus=corpus,
        seconds=cell.seconds,
        splits=cell.splits,
        full_integer=cell.full_integer,
    )
    # As it is read again: in JSON the tuples within dictionaries become lists.
    return from_dict(Fingerprint, json.loads(json.dumps(dataclasses.asdict(found))), cell.name)


def corpus_checksum(folder: PreparedFolder, splits: tuple[str, ...]) -> str:
    """SHA-256 of names and texts of all utterances of these splits, and of the vocabulary.

    Not of the features' statistics and paths: they differ between machines.
    """
    digest = hashlib.sha256(folder.tokenizer.proto)
    for split in splits:
        lines = [[line.get("id"), line["text"]] for line in folder.utterances(split)]
        digest.update(json.dumps([split, lines]).encode())
    return digest.hexdigest()


def not_default(config: Any) -> dict[str, Any]:
    """The values of a configuration that are not the default, dataclasses within it alike."""
    found = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if value != default:
            found[field.name] = not_default(value) if dataclasses.is_dataclass(value) else value
    return found
