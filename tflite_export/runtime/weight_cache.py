"""Files with the weights of models as XNNPACK packs them: processes share them, and start sooner.

LiteRT takes the weights of such a file without a look at whose they are: those of another model
of the same shapes give wrong results and no error. So the name of a file has the checksum of the
model, and what the packing depends on: LiteRT's version and the processor.

Beside it is a copy of the model, which LiteRT maps too: nobody overwrites it, as somebody may the
file itself, and processes share its pages, unlike bytes that each has read.

They are in the user's folder for caches, `$ASR_QAT_CACHE` if that is set. Each has about the size
of its model, and may be deleted at any time: when a new one is made, those that no process has
opened for `UNUSED_DAYS` are. What is in that folder is believed as the program itself is.
"""

import contextlib
import errno
import functools
import hashlib
import logging
import os
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from asr_qat import files
from tflite_export.runtime.model_file import ModelFile
from tflite_export.runtime.processor import processor
from tflite_export.runtime.signatures import CompiledSignatures, InterpretedSignatures, Signatures

LITERT = "ai-edge-litert"
UNUSED_DAYS = 60

_log = logging.getLogger(__name__)


def cached_signatures(file: ModelFile, threads: int) -> Callable[[], Signatures]:
    """What loads a file with its packed weights from the cache; the first time they are made.

    They appear there only when they are complete, so that processes may start at once. Where they
    cannot be written, a warning is logged, and the file does without.

    Raises:
        ValueError, RuntimeError: LiteRT cannot load the file.
    """
    model, packed = model_copy(file), cache_file(file)
    try:
        if not (model.exists() and packed.exists()):
            _delete_unused(packed.parent)
            _make(file, threads, model, packed)
    except OSError as error:
        _log.warning("%s: cannot be written (%s): no weight cache", packed, error.strerror)
        return functools.partial(InterpretedSignatures, file.content, threads)
    for used in (model, packed):
        with contextlib.suppress(OSError):
            os.utime(used, (time.time(), used.stat().st_mtime))  # when it was used last
    return functools.partial(CompiledSignatures, model, threads, packed)


def _make(file: ModelFile, threads: int, model: Path, packed: Path) -> None:
    if not model.exists():
        files.write_bytes(model, file.content)
    if not packed.exists():
        with files.replacing(packed) as temporary:
            CompiledSignatures(model, threads, temporary)
            if temporary.stat().st_size == 0:
                raise OSError(errno.EIO, "LiteRT wrote nothing", str(packed))


def _delete_unused(folder: Path) -> None:
    """Of other models and of earlier versions; a process that has one open keeps it."""
    latest = time.time() - UNUSED_DAYS * 24 * 3600
    for path in [*folder.glob("*.xnnpack"), *folder.glob("*.tflite")]:
        with contextlib.suppress(OSError):  # another process deletes it too
            if path.stat().st_atime < latest:
                path.unlink()


def model_copy(file: ModelFile) -> Path:
    """Where a copy of a model is kept."""
    return cache_folder() / f"{file.checksum.hex()}.tflite"


def cache_file(file: ModelFile) -> Path:
    """Where the packed weights of a model are kept."""
    made_by = f"{version(LITERT)} {processor()}"
    of = hashlib.sha256(made_by.encode()).hexdigest()[:16]
    return cache_folder() / f"{file.checksum.hex()}-{of}.xnnpack"


def cache_folder() -> Path:
    """The folder of the cache: by the platform's convention, in `$ASR_QAT_CACHE` if that is set."""
    given = os.environ.get("ASR_QAT_CACHE")
    if given:
        return Path(given).expanduser() / "weights"
    home = Path.home()
    if sys.platform == "darwin":
        user = home / "Library/Caches"
    elif sys.platform == "win32":
        user = Path(os.environ.get("LOCALAPPDATA") or home / "AppData/Local")
    else:
        user = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return user / "asr-qat" / "weights"
