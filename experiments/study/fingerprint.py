"""What decides the outcome of a cell: two equal fingerprints are the same work."""

import dataclasses
import hashlib
import json
from typing import Any

from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.models.model_directory import weights_checksum
from experiments.study.cells import Cell

# Where files lie and how often an interrupted training is saved decides nothing.
PLACES = ("data", "output", "start", "quantization", "checkpoint_minutes")


def fingerprint(cell: Cell, corpus: str) -> dict[str, Any]:
    """Method, precisions, training, start, corpus and what is scored.

    Values that are the default are left out, so that a setting which a later version adds does
    not make other work of what is finished.

    Args:
        cell: to describe.
        corpus: `corpus_checksum` of the prepared folder.

    Raises:
        UserError: `start` is no model directory.
    """
    training = given(cell.training)
    start = cell.training.start
    content = {
        "method": cell.method,
        "quantization": None if cell.quantization is None else given(cell.quantization),
        "training": {k: v for k, v in training.items() if k not in PLACES},
        "start": None if start is None else weights_checksum(start),
        "corpus": corpus,
        "seconds": cell.seconds,
        "splits": cell.splits,
    }
    if cell.full_integer is not None:
        content["full_integer"] = cell.full_integer
    return json.loads(json.dumps(content))  # as it is read again: tuples become lists


def corpus_checksum(folder: PreparedFolder, splits: tuple[str, ...]) -> str:
    """SHA-256 of names and texts of all utterances of these splits, and of the vocabulary.

    Not of the features' statistics and paths: they differ between machines.
    """
    digest = hashlib.sha256(folder.tokenizer.proto)
    for split in splits:
        lines = [[line.get("id"), line["text"]] for line in folder.utterances(split)]
        digest.update(json.dumps([split, lines]).encode())
    return digest.hexdigest()


def given(config: Any) -> dict[str, Any]:
    """The values of a configuration that are not the default, dataclasses within it alike."""
    found = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if value != default:
            found[field.name] = given(value) if dataclasses.is_dataclass(value) else value
    return found
