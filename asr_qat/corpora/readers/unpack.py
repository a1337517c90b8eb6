"""Archives unpacked once into the cache folder."""

import lzma
import tarfile
import zlib
from pathlib import Path

from asr_qat.corpora.cache import cache_folder
from asr_qat.errors import UserError
from asr_qat.leftovers import temporary_folder


def unpacked(archive: Path) -> Path:
    """The folder that holds the contents of a tar `archive`; unpacks it the first time.

    The folder is named after the archive's name, size and time, and gets its name only
    when everything is in it. Members that would land outside of it are refused.

    Raises:
        UserError: the archive is damaged.
    """
    stat = archive.stat()
    folder = cache_folder() / "unpacked" / f"{archive.name}-{stat.st_size}-{int(stat.st_mtime)}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with temporary_folder(archive.name, folder.parent) as temporary:
            with tarfile.open(archive) as tar:
                tar.extractall(temporary, filter="data")
                _check_end(tar)
            temporary.replace(folder)
    except (tarfile.TarError, EOFError, zlib.error, lzma.LZMAError, ValueError, OSError) as error:
        if isinstance(error, OSError) and error.errno is not None:
            if folder.is_dir():
                return folder  # another process was faster
            raise  # a full disk, say; of damaged data gzip and bz2 raise one without a number
        raise UserError(
            f"{archive}: damaged archive ({error}): remove it and fetch it again"
        ) from None
    return folder


def _check_end(tar: tarfile.TarFile) -> None:
    """Raise `tarfile.ReadError` unless everything was read.

    `tarfile` takes a damaged header, and the end of a file that was cut off, for the end of
    the archive. That is a block of zeros; what a compressor writes after it is its checksum.
    """
    assert tar.fileobj is not None
    tar.fileobj.seek(tar.offset)
    if tar.fileobj.read(tarfile.BLOCKSIZE) != tarfile.NUL * tarfile.BLOCKSIZE:
        raise tarfile.ReadError("its end is missing")
    while tar.fileobj.read(1 << 20):
        pass
