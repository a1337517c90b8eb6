"""What a measurement of a model's layers found, and its file."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TypeVar

from asr_qat import files
from asr_qat.config import from_dict
from asr_qat.errors import UserError, require
from asr_qat.provenance import provenance

Kind = TypeVar("Kind")
NOT_ONE = "not from `asr-qat sensitivity`"


@dataclasses.dataclass(frozen=True)
class Source:
    """What was measured.

    Attributes:
        model: model directory.
        weights_sha256: of its weights.
        corpus: name.
        split: of the corpus.
    """

    model: str
    weights_sha256: str
    corpus: str
    split: str


@dataclasses.dataclass(frozen=True)
class LayerSensitivity:
    """One layer, or one part, at one precision.

    Attributes:
        layer: name in the Keras model, or of the part.
        precision: see `asr_qat.quantize.precision`; of the weights alone: activations stay float.
        bytes: of all the layer's weights, see `asr_qat.models.summary`.
        loss: rise of the mean loss, in nats per utterance; a small one may be negative.
        divergence: from the float model, in nats per utterance.
        by_pass: the divergence of the first and of the second pass of a live model.
    """

    layer: str
    precision: str
    bytes: int
    loss: float
    divergence: float
    by_pass: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class Sensitivity:
    """All layers of a model.

    Attributes:
        loss: mean loss of the float model, in nats per utterance.
        utterances: that it was measured on.
        float_bytes: of the model's weights in float32.
        other_bytes: of those that are in no row.
        rows: every layer at every precision, in the order of the model.
        parts: the same of all layers of a part together.
    """

    loss: float
    utterances: int
    float_bytes: int
    other_bytes: int
    rows: tuple[LayerSensitivity, ...]
    parts: tuple[LayerSensitivity, ...] = ()

    def by_layer(self) -> dict[str, dict[str, LayerSensitivity]]:
        """The rows by layer and precision."""
        found: dict[str, dict[str, LayerSensitivity]] = {}
        for row in self.rows:
            found.setdefault(row.layer, {})[row.precision] = row
        return found

    def restricted(self, precisions: Sequence[str]) -> "Sensitivity":
        """The rows of these precisions alone.

        Raises:
            UserError: one of them was not measured.
        """
        known = {row.precision for row in self.rows}
        for name in precisions:
            require(name in known, f"{name} was not measured: there are {', '.join(known)}")
        rows, parts = (
            tuple(row for row in own if row.precision in precisions)
            for own in (self.rows, self.parts)
        )
        return dataclasses.replace(self, rows=rows, parts=parts)

    @classmethod
    def load(cls, path: str | Path) -> "Sensitivity":
        """Read what `write` wrote.

        Raises:
            UserError: naming the file that is missing, damaged or another.
        """
        found = _read(cls, path)
        sizes = {len(own) for own in found.by_layer().values()}
        require(len(sizes) == 1, f"{path}: damaged (rows are missing): measure again")
        return found

    def write(self, path: str | Path, source: Source) -> None:
        """Write the file of `asr-qat sensitivity`, with the provenance of this process."""
        content = {**dataclasses.asdict(source), **dataclasses.asdict(self), **provenance()}
        files.write_json(path, content)


def read_source(path: str | Path) -> Source:
    """What the file of `asr-qat sensitivity` says it measured. Raises `UserError` as `load`."""
    return _read(Source, path)


def _read(kind: type[Kind], path: str | Path) -> Kind:
    """The fields of a dataclass from a file that holds others too."""
    content = files.read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: {NOT_ONE}")
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    known = {name: content[name] for name in names if name in content}
    return from_dict(kind, known, f"{path}: {NOT_ONE}")
