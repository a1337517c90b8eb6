"""Size and checksum of the files of a prepared folder: `prepare` writes, training verifies them."""

import concurrent.futures
import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from asr_qat import files
from asr_qat.cores import usable_cores
from asr_qat.errors import UserError, require
from asr_qat.progress import progress_bar

SHOWN = 1 << 30  # bytes: fewer are read in a moment, without a bar
MEND = "remove it and run the same `asr-qat prepare` again"


@dataclasses.dataclass(frozen=True)
class FileFacts:
    """What tells a file from a damaged one, or from another one.

    Attributes:
        bytes: its size.
        sha256: of its content.
    """

    bytes: int
    sha256: str

    @classmethod
    def of(cls, path: Path, done: Callable[[int], object] = lambda _: None) -> "FileFacts":
        """Those of a file, read whole; `done`: see `files.sha256`."""
        return cls(path.stat().st_size, files.sha256(path, done))

    @classmethod
    def from_json(cls, content: Any, where: str) -> "FileFacts":
        """Those that were written down. Raises `UserError`, which begins with `where`."""
        try:
            size, sha256 = content["bytes"], content["sha256"]
        except (KeyError, TypeError):
            size, sha256 = None, None
        whole = type(size) is int and isinstance(sha256, str)
        require(whole, f"{where}: damaged (no size and checksum): run `asr-qat prepare` again")
        return cls(size, sha256)

    def check_size(self, path: Path) -> None:
        """Raise `UserError` if the file is missing or has another size."""
        try:
            size = path.stat().st_size
        except OSError:  # a link to itself is no file either
            raise UserError(f"{path}: missing: run the same `asr-qat prepare` again") from None
        require(
            size == self.bytes,
            f"{path}: damaged or replaced (it has {size} bytes, and {self.bytes} were prepared): "
            f"{MEND}",
        )

    def check(self, path: Path, done: Callable[[int], object] = lambda _: None) -> None:
        """Raise `UserError` if the file is missing or has another content."""
        self.check_size(path)
        require(
            FileFacts.of(path, done) == self,
            f"{path}: damaged or replaced (it has not the checksum that was prepared): {MEND}",
        )


def check_all(expected: Mapping[Path, FileFacts], quiet: bool = False) -> None:
    """Read all files, several at a time. Raises `UserError` for the first with another content."""
    total = sum(facts.bytes for facts in expected.values())
    threads = usable_cores()  # hashing and reading let other threads run
    with (
        progress_bar("checksums", total, "B", quiet or total < SHOWN) as bar,
        concurrent.futures.ThreadPoolExecutor(threads) as pool,
    ):
        checks = [pool.submit(facts.check, path, bar.update) for path, facts in expected.items()]
        try:
            for check in checks:
                check.result()
        finally:
            pool.shutdown(cancel_futures=True)
