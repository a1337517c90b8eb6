"""Archives unpacked once into the cache folder."""

import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path

from asr_qat.corpora.cache import cache_folder
from asr_qat.errors import UserError


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
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{archive.name}."))
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(temporary, filter="data")
        temporary.replace(folder)
    except (tarfile.TarError, EOFError, zlib.error) as error:
        raise UserError(f"{archive}: damaged archive ({error}): fetch it again") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder
