"""The Debian packages with Asterisk's English prompts, fetched and unpacked without root."""

import shutil
import subprocess
import tempfile
from pathlib import Path

from asr_qat.corpora.cache import cache_folder
from asr_qat.corpora.download import Unreachable
from asr_qat.errors import UserError

PACKAGES = ("asterisk-core-sounds-en-wav", "asterisk-core-sounds-en")  # recordings, texts


def find(place: Path) -> Path | None:
    """`place` if both packages lie in it."""
    both = place.is_dir() and all(any(place.glob(f"{package}_*.deb")) for package in PACKAGES)
    return place if both else None


def fetch(quiet: bool = False) -> Path:
    """The folder of the cache with both packages; `apt-get` downloads and checks them.

    Uses the machine's package lists, and where they are missing or old fetches lists of its
    own, so that no root is needed.

    Raises:
        Unreachable: no `apt-get`, or it cannot reach an archive.
    """
    folder = cache_folder() / "asterisk"
    if find(folder):
        return folder
    if shutil.which("apt-get") is None or shutil.which("dpkg-deb") is None:
        raise Unreachable(
            f"asterisk: apt-get is missing here: put the .deb files of {' and '.join(PACKAGES)} "
            "into a folder and name it with --data"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".asterisk."))
    try:
        own_lists = [f"-oDir::State::lists={temporary}/lists", f"-oDir::Cache={temporary}/cache"]
        if _apt(temporary, [], "download", *PACKAGES) is not None:
            for name in ("lists/partial", "cache/archives/partial"):
                (temporary / name).mkdir(parents=True)
            failure = _apt(temporary, own_lists, "update") or _apt(
                temporary, own_lists, "download", *PACKAGES
            )
            if failure is not None:
                raise Unreachable(
                    f"asterisk: apt-get cannot download {PACKAGES[0]} ({failure}): "
                    "run `apt-get update` and try again"
                )
        folder.mkdir(exist_ok=True)
        for package in temporary.glob("*.deb"):
            package.replace(folder / package.name)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def unpack(folder: Path) -> tuple[Path, Path]:
    """Unpack both packages of `folder` once.

    Returns:
        The folder of recordings, and the file of their texts (`core-sounds-en.txt.gz`).

    Raises:
        UserError: a damaged package, or one with other contents.
    """
    packages = [max(folder.glob(f"{package}_*.deb")) for package in PACKAGES]
    target = cache_folder() / "unpacked" / packages[0].stem
    if not target.is_dir():
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
        try:
            for package in packages:
                command = ["dpkg-deb", "-x", str(package), str(temporary)]
                done = subprocess.run(command, capture_output=True, text=True)
                if done.returncode != 0:
                    reason = (done.stderr.strip().splitlines() or ["dpkg-deb failed"])[-1]
                    raise UserError(f"{package}: damaged package ({reason}): fetch it again")
            temporary.replace(target)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    sounds = target / "usr/share/asterisk/sounds/en_US_f_Allison"
    texts = target / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz"
    for path in (sounds, texts):
        if not path.exists():
            raise UserError(f"{path}: not in these packages: use version 1.6.1 of them")
    return sounds, texts


def _apt(folder: Path, options: list[str], *arguments: str) -> str | None:
    """Run apt-get in `folder`; None, or the last line of what went wrong."""
    command = ["apt-get", "-q", "-oAPT::Sandbox::User=", *options, *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if done.returncode == 0:
        return None
    return (done.stderr.strip().splitlines() or ["failed"])[-1]
