"""Fresh environments that hold the package and what it needs, as a device has it."""

import dataclasses
import functools
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# What an installation is made from; a folder `build` of earlier ones may hold old files.
SOURCES = (
    "asr_qat",
    "tflite_export",
    "experiments",
    "setup.cfg",
    "pyproject.toml",
    "README.md",
    "LICENSE",
)
VERSIONS = tuple(f"3.{minor}" for minor in range(14, 9, -1))  # newest first
USUAL = "3.11"  # the version of training and of the tests


@dataclasses.dataclass(frozen=True)
class Environment:
    """An environment after `pip install .`.

    Attributes:
        bin: where its commands are.
        version: of Python, `3.11`.
        install_seconds: that making it and the installation took.
        megabytes: (2^20 bytes) that its files take on the disk, those of pip and compiled ones too.
    """

    bin: Path
    version: str
    install_seconds: float
    megabytes: float


def find_python(version: str) -> str | None:
    """A Python of this version that runs: on the path, or among those of pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    found = sorted(pyenv.glob(f"versions/{version}.*/bin/python{version}"))
    for python in (f"python{version}", *map(str, reversed(found))):
        if (
            shutil.which(python)
            and not subprocess.run([python, "-c", ""], capture_output=True).returncode
        ):
            return python
    return None


def newest_version() -> str:
    """The newest version of Python that there is."""
    return next(version for version in VERSIONS if find_python(version))


@functools.cache
def environment(version: str) -> Environment:
    """A fresh environment for a version of Python; it is made once in a process.

    Raises:
        ValueError: no such Python.
    """
    python = find_python(version)
    if python is None:
        raise ValueError(f"Python {version} not found")
    source, folder = _copied_source(), temporary_folder() / f"python{version}"
    started = time.perf_counter()
    subprocess.run([python, "-m", "venv", folder], check=True)
    options = ("--quiet", "--no-cache-dir", "--disable-pip-version-check")
    subprocess.run([folder / "bin/python", "-m", "pip", "install", *options, source], check=True)
    seconds = time.perf_counter() - started
    size = sum(path.lstat().st_blocks * 512 for path in folder.rglob("*"))
    return Environment(folder / "bin", version, seconds, size / 2**20)


@functools.cache
def temporary_folder() -> Path:
    """A folder that lasts as long as the process."""
    folder = tempfile.TemporaryDirectory(prefix="house_")
    _KEPT.append(folder)
    return Path(folder.name)


_KEPT: list["tempfile.TemporaryDirectory[str]"] = []


@functools.cache
def _copied_source() -> Path:
    copy = temporary_folder() / "source"
    copy.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy)
    return copy


def run(command: Sequence[str | Path]) -> str:
    """The standard output of a command outside of the repository, so that it sees none of it."""
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=temporary_folder(), env=variables, capture_output=True, text=True, check=True
    )
    return done.stdout
