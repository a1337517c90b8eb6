"""Where a corpus lies: given, known by environment, shared, or downloaded."""

import os
from collections.abc import Callable
from pathlib import Path

from asr_qat.corpora.cache import cache_folder
from asr_qat.corpora.download import download, download_from_any
from asr_qat.corpora.readers import librispeech
from asr_qat.corpora.readers.nemo import expand_braces
from asr_qat.corpora.synthetic import espeak_package
from asr_qat.errors import UserError, require

# The same file in several places, tried in this order: its publisher, and the copy that the
# tutorials of NVIDIA NeMo use.
AN4_URLS = (
    "http://www.speech.cs.cmu.edu/databases/an4/an4_sphere.tar.gz",
    "https://dldata-public.s3.us-east-2.amazonaws.com/an4_sphere.tar.gz",
)
AN4_CHECKSUM = "sha256:a0525579493735d32b60fb6fa5975dd0eaacde087b0a4eeb7f13b7ef33077b12"

LIBRISPEECH_URL = "https://www.openslr.org/resources/12/"
# The published md5sum.txt; the three parts that make a small standard set (7 GB). Other
# parts are read too where they lie beside these.
LIBRISPEECH_CHECKSUMS = {
    "train-clean-100.tar.gz": "md5:2a93770f6d5c6c964bc36631d331a522",
    "dev-clean.tar.gz": "md5:42e2234ba48799c1f50f24a7926300a1",
    "test-clean.tar.gz": "md5:32fa31d27d2e1cad72775fee3f4849a9",
}

_REPOSITORY = Path(__file__).resolve().parents[2]


def locate(name: str, data: str | Path | None = None, quiet: bool = False) -> Path:
    """Find the corpus `name`, or download it into the cache folder.

    Args:
        name: a corpus of `asr_qat.corpora.readers.registry`.
        data: the corpus itself or a folder that holds it; the only place looked at if given.
        quiet: show no progress of a download.

    Returns:
        The archive or folder that the corpus's reader takes.

    Raises:
        UserError: it is not where `data` says; no `data` for a corpus of one's own; no folder
            that `ASR_QAT_DATA` names.
        Unreachable: it is nowhere and cannot be downloaded.
    """
    if name not in _PLACES:
        if data is None:
            raise UserError(f"{name}: name the folder of your corpus with --data")
        if not Path(data).exists() and not (name == "nemo" and len(expand_braces(str(data))) > 1):
            raise UserError(f"{data}: no such file or folder: name your corpus with --data")
        return Path(data)
    find, fetch = _PLACES[name]
    if data is not None:
        found = find(Path(data))
        if found is None:
            raise UserError(f"{data}: holds no {name} corpus: name its folder with --data")
        return found
    given = os.environ.get("ASR_QAT_DATA")
    require(not given or Path(given).is_dir(), f"ASR_QAT_DATA: {given}: no such folder")
    shared = [Path("../shared/data"), _REPOSITORY.parent / "shared/data"]
    for folder in [Path(given), *shared] if given else shared:
        found = find(folder)
        if found is not None:
            return found
    return fetch(quiet)


def find(name: str, place: Path) -> Path | None:
    """The archive or folder of the corpus `name` at `place` or in it, None if it is not there."""
    return _PLACES[name][0](place)


def _find_an4(place: Path) -> Path | None:
    if place.is_file() and ".tar" in place.name:
        return place
    for folder in (place, place / "an4"):
        if (folder / "etc/an4_train.fileids").is_file():
            return folder
    archive = place / "an4_sphere.tar.gz"
    return archive if archive.is_file() else None


def _fetch_an4(quiet: bool) -> Path:
    return download_from_any(AN4_URLS, cache_folder() / "an4_sphere.tar.gz", AN4_CHECKSUM, quiet)


def _find_librispeech(place: Path) -> Path | None:
    for folder in (place, place / "LibriSpeech"):
        if librispeech.parts(folder):
            return folder
    return None


def _fetch_librispeech(quiet: bool) -> Path:
    folder = cache_folder() / "librispeech"
    for name, checksum in LIBRISPEECH_CHECKSUMS.items():
        download(LIBRISPEECH_URL + name, folder / name, checksum, quiet)
    return folder


_PLACES: dict[str, tuple[Callable[[Path], Path | None], Callable[[bool], Path]]] = {
    "an4": (_find_an4, _fetch_an4),
    "librispeech": (_find_librispeech, _fetch_librispeech),
    "synthetic": (espeak_package.find, espeak_package.fetch),
}
