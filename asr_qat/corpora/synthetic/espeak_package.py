"""The PyPI package that ships espeak-ng, fetched without installing anything."""

import platform
import subprocess
import sys
import zipfile
from pathlib import Path

from asr_qat import files
from asr_qat.corpora.cache import cache_folder
from asr_qat.corpora.download import Unreachable
from asr_qat.errors import UserError
from asr_qat.leftovers import temporary_folder

PACKAGE = "espeakng-loader"
VERSION = "0.2.4"
CHECKSUMS = {  # sha256 of the wheel for each processor
    "aarch64": "d1e798141b46a050cdb75fcf3c17db969bb2c40394f3f4a48910655d547508b9",
    "x86_64": "08721baf27d13d461f6be6eed9a65277e70d68234ff484fd8b9897b222cdcb6d",
}


def find(place: Path) -> Path | None:
    """The wheel for this machine in the folder `place`, or `place` if it is the wheel."""
    pattern = f"espeakng_loader-{VERSION}-*linux*_{platform.machine()}.whl"
    if place.is_file():
        return place if place.match(pattern) else None
    return next(iter(sorted(place.glob(pattern))), None)


def fetch(quiet: bool = False) -> Path:
    """The wheel in the cache folder; `pip` downloads it and checks it.

    Raises:
        Unreachable: `pip` is missing or cannot get it.
        UserError: a machine that the package has no library for.
    """
    folder = cache_folder() / "espeak"
    found = find(folder)
    if found is not None:
        return found
    checksum = _checksum()
    folder.parent.mkdir(parents=True, exist_ok=True)
    with temporary_folder(folder.name, folder.parent) as temporary:
        failure = _pip_download(temporary, checksum)
        wheel = find(temporary)
        if wheel is None:
            raise Unreachable(
                f"synthetic: pip cannot download {PACKAGE} {VERSION} ({failure}): put its wheel "
                "into a folder and name that with --data"
            )
        folder.mkdir(exist_ok=True)
        return wheel.replace(folder / wheel.name)


def unpack(wheel: Path) -> tuple[Path, Path]:
    """Unpack the wheel into the cache folder, the first time.

    Returns:
        The shared library, and the folder of its data.

    Raises:
        UserError: a wheel that is damaged, or not the one that is known.
    """
    checksum = _checksum()
    folder = cache_folder() / "unpacked" / f"{PACKAGE}-{checksum[:12]}"
    if not folder.is_dir():
        actual = files.sha256(wheel)
        if actual != checksum:
            raise UserError(
                f"{wheel}: has sha256 {actual}, expected {checksum}: remove it and try again"
            )
        folder.parent.mkdir(parents=True, exist_ok=True)
        with temporary_folder(folder.name, folder.parent) as temporary:
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(temporary)
            temporary.replace(folder)
    package = folder / "espeakng_loader"
    return package / "libespeak-ng.so", package / "espeak-ng-data"


def _checksum() -> str:
    """Of the wheel for this machine."""
    try:
        return CHECKSUMS[platform.machine()]
    except KeyError:
        raise UserError(
            f"synthetic: {PACKAGE} has no library for {platform.machine()}: get AN4 and name its "
            "folder with --data, see data/README.md"
        ) from None


def _pip_download(folder: Path, checksum: str) -> str:
    """Have pip put the wheel into `folder`; the last line of what went wrong, if anything did."""
    wanted = folder / "wanted.txt"
    wanted.write_text(f"{PACKAGE}=={VERSION} --hash=sha256:{checksum}\n")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--require-hashes"]
    command += ["--dest", str(folder), "--requirement", str(wanted)]
    done = subprocess.run(command, capture_output=True, text=True)
    return (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
