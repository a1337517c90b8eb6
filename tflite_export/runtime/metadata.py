"""What travels inside the `.tflite` beside the graph: enough to transcribe with one file."""

import dataclasses
import json
from collections import Counter
from pathlib import Path

import numpy as np

from asr_qat.arrays import Array
from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.decoding.live_format import LiveFormat
from asr_qat.errors import UserError
from asr_qat.source import Source
from asr_qat.text.normalizers import PLAIN
from asr_qat.text.tokenizer import Tokenizer
from tflite_export.runtime.least_runtime import least_runtime
from tflite_export.runtime.metadata_schema import SEALED_SINCE, read_description
from tflite_export.runtime.model_file import ModelFile

DESCRIPTION = "asr_qat.json"  # names of the metadata buffers
VOCABULARY = "asr_qat.sentencepiece"
VERSION = SEALED_SINCE
SUBSAMPLING = 4  # of a file that says nothing of it
LEARNED = "-learned"  # a range that was found with the weights, of the same width


@dataclasses.dataclass(frozen=True)
class Metadata:
    """Description of a recogniser.

    Attributes:
        precision: precision name of the weights and activations.
        method: `float`, `ptq`, `fake-qat` or `native-qat`.
        front_end: of the features.
        mean: float32 `[mel_bins]` that is subtracted from the features.
        std: float32 `[mel_bins]` that they are divided by.
        tokenizer: the vocabulary; the blank is the class after it.
        layers: precision name of each quantized layer.
        full_integer: width of all activations if every tensor is an integer, else None.
        live: how to stream, None for a recogniser of whole utterances.
        durations: of a token-and-duration transducer, frames of each class after the blank.
        subsampling_factor: feature frames to one encoded frame; only written unless it is 4.
        source: where imported weights come from, None for a model that was trained here.
        normalizer: name of that of the texts it was trained on, see `asr_qat.text.normalizers`;
            only written unless it is `plain`.
    """

    precision: str
    method: str
    front_end: FrontEndConfig
    mean: Array
    std: Array
    tokenizer: Tokenizer
    layers: dict[str, str]
    full_integer: int | None = None
    live: LiveFormat | None = None
    durations: tuple[int, ...] = ()
    subsampling_factor: int = SUBSAMPLING
    source: Source | None = None
    normalizer: str = PLAIN

    @property
    def least_runtime(self) -> str:
        """The oldest LiteRT that computes the file as it is meant."""
        return least_runtime(self.layers.values())

    @property
    def halvings(self) -> int:
        """How often the encoder halves the time axis of the features."""
        return self.subsampling_factor.bit_length() - 1

    @property
    def widths(self) -> str:
        """The precision, how many layers have another one, and whether all is integer.

        `w4a8, 15 layers w8a8`, or `w8a8, full-integer, int8`.
        """
        same = (self.precision, f"{self.precision}{LEARNED}")
        others = Counter(name for name in self.layers.values() if name not in same)
        parts = [self.precision, *(f"{n} layers {name}" for name, n in others.items())]
        if self.full_integer is not None:
            parts += ["full-integer", f"int{self.full_integer}"]
        return ", ".join(parts)

    def buffers(self) -> dict[str, bytes]:
        """The metadata buffers by name."""
        factor = self.subsampling_factor
        description = {
            "version": VERSION,
            "precision": self.precision,
            "method": self.method,
            "front_end": self.front_end.to_json(),
            "mean": [round(float(v), 5) for v in self.mean],
            "std": [round(float(v), 5) for v in self.std],
            "layers": self.layers,
            "min_runtime_version": self.least_runtime,
            **({} if self.full_integer is None else {"full_integer": self.full_integer}),
            **({} if self.live is None else {"live": dataclasses.asdict(self.live)}),
            **({"durations": self.durations} if self.durations else {}),
            **({} if factor == SUBSAMPLING else {"subsampling_factor": factor}),
            **({} if self.source is None else {"source": dataclasses.asdict(self.source)}),
            **({} if self.normalizer == PLAIN else {"normalizer": self.normalizer}),
        }
        packed = json.dumps(description, separators=(",", ":")).encode()
        return {DESCRIPTION: packed, VOCABULARY: self.tokenizer.proto}


def read_metadata(path: str | Path, verify: bool = True) -> Metadata:
    """The metadata of a `.tflite` file.

    Args:
        path: of the file.
        verify: compare its checksum.

    Raises:
        UserError: no such file, damaged, or not made by this package.
    """
    return read_metadata_of(ModelFile.read(path, verify))


def read_metadata_of(file: ModelFile) -> Metadata:
    """The same of a file that was read."""
    found = metadata_of(file)
    if found is None:
        raise UserError(
            f"{file.path}: no recogniser metadata inside: export it with `tflite-export convert`"
        )
    return found


def metadata_of(file: ModelFile) -> Metadata | None:
    """The same, or None for a file of another origin, which has none.

    Raises:
        UserError: fields that are missing, unknown or out of bounds, all of them in one line; or no
            checksum in a file that was made with one.
    """
    buffers = file.metadata()
    if DESCRIPTION not in buffers:
        return None
    try:
        description = read_description(buffers[DESCRIPTION])
    except UserError as error:
        raise UserError(f"{file.path}: metadata: {error}: convert it again") from None
    if description["version"] >= SEALED_SINCE and file.verified and not file.has_checksum:
        raise file.damaged("its checksum is missing")
    try:
        tokenizer = Tokenizer.from_bytes(buffers.get(VOCABULARY, b""))
    except UserError as error:
        raise UserError(f"{file.path}: {VOCABULARY}: {error}: convert it again") from None
    return Metadata(
        precision=description["precision"],
        method=description["method"],
        front_end=FrontEndConfig(**description["front_end"]),
        mean=np.array(description["mean"], np.float32),
        std=np.array(description["std"], np.float32),
        tokenizer=tokenizer,
        layers=description["layers"],
        full_integer=description.get("full_integer"),
        live=LiveFormat.from_json(description["live"]) if "live" in description else None,
        durations=tuple(description.get("durations", ())),
        source=Source(**description["source"]) if "source" in description else None,
        subsampling_factor=description.get("subsampling_factor", SUBSAMPLING),
        normalizer=description.get("normalizer", PLAIN),
    )
