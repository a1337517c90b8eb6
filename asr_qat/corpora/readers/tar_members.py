"""Recordings in tar archives, read where they lie."""

import tarfile
from pathlib import Path

from asr_qat.audio.inside import FileRange
from asr_qat.errors import UserError


def tar_members(path: Path) -> dict[str, FileRange]:
    """The files in an archive by name; only headers are read.

    Raises:
        UserError: the archive is missing, damaged or compressed.
    """
    try:
        with tarfile.open(path, "r:") as tar:
            return {
                member.name: FileRange(path, member.name, member.offset_data, member.size)
                for member in tar
                if member.isreg()
            }
    except FileNotFoundError:
        raise UserError(f"{path}: missing: copy it there") from None
    except tarfile.TarError as error:
        packed = path.open("rb").read(2) == b"\x1f\x8b"
        mend = (
            "compressed: unpack it with gunzip" if packed else f"damaged ({error}): copy it again"
        )
        raise UserError(f"{path}: {mend}") from None
