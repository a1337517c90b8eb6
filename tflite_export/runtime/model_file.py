"""The bytes of a `.tflite`: read once, checked, and then the ones that LiteRT computes with.

They are a copy in memory that no other process can change: a file that is overwritten in place, or
cut, does nothing to those who have loaded it.
"""

import dataclasses
import functools
import stat
from pathlib import Path

from ai_edge_litert import schema_py_generated as schema

from asr_qat.errors import UserError, require
from tflite_export.runtime.checksum import DIGEST, IDENTIFIER, checksum, has_checksum

MOST_BYTES = 2**31 - 1  # a flatbuffer's offsets reach no further
MOST_TABLES = 1 << 18  # tensors, operators, buffers; a Conformer of 600 M parameters has 60,000


@dataclasses.dataclass(frozen=True)
class ModelFile:
    """A `.tflite` whose checksum is right, if it has one, and whose buffers lie inside it.

    What the graph means is not checked: LiteRT believes it. Files of strangers that could have been
    made on purpose are for a process that may crash.

    Attributes:
        path: that it was read from.
        content: all of its bytes.
        verified: whether the checksum was to be checked.
    """

    path: Path
    content: bytes
    verified: bool

    @classmethod
    def read(cls, path: str | Path, verify: bool = True) -> "ModelFile":
        """Read a file.

        Args:
            path: of the file.
            verify: compare its checksum. One without, of an earlier version, is read all the same.

        Raises:
            UserError: no such file, no `.tflite`, damaged, or truncated.
        """
        content = _content(path)
        if content[4:8] != IDENTIFIER:
            raise UserError(f"{path}: not a .tflite file, or an empty one")
        file = cls(Path(path), content, verify)
        if verify and has_checksum(content) and content[DIGEST] != file.checksum:
            raise file.damaged("its checksum is wrong")
        file._check_tables()
        return file

    @functools.cached_property
    def checksum(self) -> bytes:
        """SHA-256, see `tflite_export.runtime.checksum`."""
        return checksum(self.content)

    @property
    def has_checksum(self) -> bool:
        """Whether it has one inside."""
        return has_checksum(self.content)

    @property
    def model(self) -> schema.Model:
        """The flatbuffer."""
        return schema.Model.GetRootAs(self.content, 0)

    def metadata(self) -> dict[str, bytes]:
        """The metadata buffers by name."""
        model, found = self.model, {}
        for i in range(model.MetadataLength()):
            entry = model.Metadata(i)
            buffer = model.Buffers(entry.Buffer())
            name = (entry.Name() or b"").decode(errors="replace")
            found[name] = b"" if buffer.DataIsNone() else buffer.DataAsNumpy().tobytes()
        return found

    def damaged(self, how: str) -> UserError:
        """The error that says so."""
        size = f"{len(self.content):,} bytes"
        return UserError(
            f"{self.path}: damaged or truncated ({size}; {how}): copy or export it again"
        )

    def _check_tables(self) -> None:
        """Raise `UserError` unless all buffers lie inside, and there are not too many tables.

        Vectors of tables are four bytes for each, side by side: a length that is more than the file
        could hold is not followed.
        """
        try:
            model = self.model
            if _tables(model) > min(MOST_TABLES, len(self.content) // 4):
                raise ValueError("too many tables")
            for i in range(model.BuffersLength()):
                buffer = model.Buffers(i)
                if not buffer.DataIsNone() and buffer.DataAsNumpy().size != buffer.DataLength():
                    raise ValueError("short buffer")
            self.metadata()
        except Exception:  # the generated reader raises whatever the bytes lead it to
            raise self.damaged("its tables lead outside") from None


def _tables(model: schema.Model) -> int:
    """How many tables the vectors of a flatbuffer say that they have."""
    count: int = model.BuffersLength() + model.MetadataLength() + model.SignatureDefsLength()
    count += model.OperatorCodesLength() + model.SubgraphsLength()
    if count > MOST_TABLES:
        return count
    for i in range(model.SubgraphsLength()):
        graph = model.Subgraphs(i)
        count += graph.TensorsLength() + graph.OperatorsLength()
    return count


def _content(path: str | Path) -> bytes:
    """All bytes of a regular file of a possible size."""
    try:
        about = Path(path).stat()
        if stat.S_ISDIR(about.st_mode):
            raise UserError(f"{path}: a folder, expected a .tflite file")
        require(stat.S_ISREG(about.st_mode), f"{path}: not a file")  # a pipe would be waited for
        require(
            about.st_size <= MOST_BYTES,
            f"{path}: {about.st_size:,} bytes, more than a .tflite file can have",
        )
        return Path(path).read_bytes()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
