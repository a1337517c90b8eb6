"""What a device is compared with: a few utterances as the reference machine recognises them.

`FILE.verify.npz` has their features, texts and logits, how much the machine differs from itself
when the features move by the last bit of a float, and the checksum of the file that it belongs to.
"""

import dataclasses
import io
import json
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from asr_qat import files
from asr_qat.arrays import Array
from asr_qat.errors import UserError, require
from tflite_export.score.device.report import Floor, Machine

SUFFIX = ".verify.npz"
FORMAT = 1
MOST_BYTES = 256 << 20
# What numpy's reader raises for an archive that was cut or changed.
DAMAGE = (
    AttributeError,
    EOFError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclasses.dataclass(frozen=True)
class About:
    """A record without its arrays.

    Attributes:
        format: of the record.
        checksum: of the file, hexadecimal.
        machine: that the record was made on.
        floor: of that machine.
        ids: of the utterances.
        texts: that it recognised.
    """

    format: int
    checksum: str
    machine: Machine
    floor: Floor
    ids: tuple[str, ...]
    texts: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class Record:
    """What a device is compared with.

    Attributes:
        about: all but the arrays.
        features: float16 `[frames, mel_bins]` of each utterance, normalised.
        logits: float32 `[steps, classes]` of each utterance; none of a live model.
    """

    about: About
    features: list[Array]
    logits: list[Array]

    @staticmethod
    def place(path: str | Path) -> Path:
        """Where the record of a file is."""
        return Path(f"{path}{SUFFIX}")

    def first(self, count: int) -> "Record":
        """The record with its first utterances alone; the floor stays that of all."""
        about = dataclasses.replace(
            self.about, ids=self.about.ids[:count], texts=self.about.texts[:count]
        )
        return Record(about, self.features[:count], self.logits[:count])

    def write(self, path: Path) -> None:
        """Write the record."""
        arrays = {f"features_{i}": x for i, x in enumerate(self.features)}
        arrays |= {f"logits_{i}": x for i, x in enumerate(self.logits)}
        about = json.dumps(dataclasses.asdict(self.about)).encode()
        buffer = io.BytesIO()
        np.savez_compressed(buffer, about=np.frombuffer(about, np.uint8), **arrays)
        files.write_bytes(path, buffer.getvalue())

    @classmethod
    def read(cls, path: Path, checksum: str) -> "Record":
        """The record of the file with a checksum.

        Raises:
            UserError: no such record, damaged, of a later version, or of another file.
        """
        require(path.is_file(), f"{path}: no such record: make it with --record on the reference")
        require(path.stat().st_size <= MOST_BYTES, f"{path}: too large for a record")
        try:
            with np.load(path, allow_pickle=False) as arrays:
                raw = json.loads(arrays["about"].tobytes())
                require(raw["format"] == FORMAT, f"{path}: of another version: record it again")
                about = _about(raw)
                count = range(len(about.ids))
                features = [arrays[f"features_{i}"] for i in count]
                logits = [arrays[f"logits_{i}"] for i in count if f"logits_{i}" in arrays]
        except DAMAGE:
            raise UserError(f"{path}: damaged: copy it again, or record it again") from None
        require(
            about.checksum == checksum,
            f"{path}: the record of another file: copy the one that belongs to this, or record it",
        )
        return cls(about, features, logits)


def _about(raw: dict[str, Any]) -> About:
    """What JSON holds of it. Without `asr_qat.config`, which a device may not have."""
    return About(
        format=int(raw["format"]),
        checksum=str(raw["checksum"]),
        machine=Machine(**raw["machine"]),
        floor=Floor(**{**raw["floor"], "changes": tuple(raw["floor"]["changes"])}),
        ids=tuple(map(str, raw["ids"])),
        texts=tuple(map(str, raw["texts"])),
    )
