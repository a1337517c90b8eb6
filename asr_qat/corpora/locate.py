"""Where a corpus lies: given, known by environment, shared, or downloaded."""

import os
from pathlib import Path

from asr_qat.errors import UserError

_REPOSITORY = Path(__file__).resolve().parents[2]


def locate(name: str, data: str | Path | None = None, quiet: bool = False) -> Path:
    """Find the corpus `name`.

    Args:
        name: a corpus of `asr_qat.corpora.READERS`.
        data: the corpus itself or a folder that holds it; the only place looked at if given.
        quiet: show no progress of a download.

    Returns:
        The archive or folder that the corpus's reader takes.

    Raises:
        UserError: it is not where `data` says, or nowhere to be had.
    """
    if data is not None:
        found = _find(name, Path(data))
        if found is None:
            raise UserError(f"{data}: holds no {name} corpus: name its folder with --data")
        return found
    shared = [Path("../shared/data"), _REPOSITORY.parent / "shared/data"]
    given = os.environ.get("ASR_QAT_DATA")
    for folder in [Path(given), *shared] if given else shared:
        found = _find(name, folder)
        if found is not None:
            return found
    raise UserError(f"{name}: not found: name its folder with --data or ASR_QAT_DATA")


def _find(name: str, place: Path) -> Path | None:
    """The corpus at `place` or directly in it."""
    if name == "an4":
        if place.is_file() and ".tar" in place.name:
            return place
        for folder in (place, place / "an4"):
            if (folder / "etc/an4_train.fileids").is_file():
                return folder
        archive = place / "an4_sphere.tar.gz"
        return archive if archive.is_file() else None
    return place if place.exists() else None
