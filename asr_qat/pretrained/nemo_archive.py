"""NeMo's `.nemo` archive: a tar, gzipped or not, of a configuration, weights and a tokenizer."""

import contextlib
import shutil
import tarfile
import tempfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import yaml

from asr_qat.errors import UserError
from asr_qat.pretrained.torch_checkpoint import TorchCheckpoint

CONFIG, WEIGHTS = "model_config.yaml", "model_weights.ckpt"
MOST_SMALL_BYTES = 1 << 26  # of a configuration or a tokenizer
_DAMAGES = (tarfile.TarError, EOFError, OSError, zlib.error)


class NemoArchive:
    """The parts of an archive; the weights stay in it.

    Args:
        path: of the archive.
        tar: it, open.
    """

    def __init__(self, path: Path, tar: tarfile.TarFile):
        self.path = path
        self._tar = tar
        with self._readable():
            self._members = {member.name.removeprefix("./"): member for member in tar.getmembers()}
        for name in (CONFIG, WEIGHTS):
            if name not in self._members:
                raise UserError(f"{path}: an archive without {name}: not a NeMo checkpoint")

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: Path) -> Iterator["NemoArchive"]:
        """An archive.

        Raises:
            UserError: there is none, or it is damaged or another kind of file.
        """
        try:
            tar = tarfile.open(path)
        except (FileNotFoundError, PermissionError):
            raise
        except _DAMAGES as error:
            raise UserError(f"{path}: not a .nemo archive, or damaged: {error}") from None
        with tar:
            yield cls(path, tar)

    def config(self) -> Any:
        """The configuration, as YAML has it."""
        content = self.small_file(CONFIG)
        try:
            return yaml.safe_load(content.decode())
        except Exception as error:  # the bytes decide what the constructors of YAML raise
            raise UserError(f"{self.path}: {CONFIG}: not valid YAML: {error}") from None

    def small_file(self, name: str) -> bytes:
        """The content of a file that is not the weights.

        Raises:
            UserError: there is none of that name, or it is damaged.
        """
        member = self._members.get(name)
        if member is None or not member.isfile():
            raise UserError(f"{self.path}: an archive without {name}")
        if member.size > MOST_SMALL_BYTES:
            raise UserError(f"{self.path}: {name}: {member.size:,} bytes are too many")
        with self._readable(), self._open(name) as file:
            content = file.read()
        if len(content) != member.size:
            raise UserError(f"{self.path}: truncated in {name}: download it again")
        return content

    @contextlib.contextmanager
    def checkpoint(self) -> Iterator[TorchCheckpoint]:
        """The weights, which are read from the archive one at a time.

        A gzipped one is unpacked into a temporary file first: it can only be read in order.
        """
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(self._open(WEIGHTS))
            if _is_gzip(self.path):
                unpacked = stack.enter_context(tempfile.TemporaryFile())
                with self._readable():
                    shutil.copyfileobj(file, unpacked, 1 << 20)
                file = unpacked
            yield TorchCheckpoint(file, f"{self.path}: {WEIGHTS}")

    def _open(self, name: str) -> IO[bytes]:
        file = self._tar.extractfile(self._members[name])
        if file is None:
            raise UserError(f"{self.path}: {name} is not a file")
        return file

    @contextlib.contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGES as error:
            raise UserError(
                f"{self.path}: damaged or truncated ({error}): download it again"
            ) from None


def _is_gzip(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"
