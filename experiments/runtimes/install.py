"""Versions of LiteRT from the package index, each in a folder of its own."""

import re
import subprocess
import sys
from pathlib import Path

from asr_qat import files
from asr_qat.errors import UserError
from tflite_export.runtime.least_runtime import OLDEST, number

LITERT, BEFORE = "ai-edge-litert", "tflite-runtime"  # the latter was its name until 2.14
COMPLETE = ".complete"  # appears in a folder when all is installed


def versions() -> list[str]:
    """Those of LiteRT from `OLDEST` on that can be installed here, the oldest first.

    Raises:
        UserError: the package index cannot be asked.
    """
    said = _pip("index", "versions", LITERT)
    (line,) = re.findall(r"Available versions: (.*)", said)
    found = [version for version in line.split(", ") if number(version) >= number(OLDEST)]
    return sorted(found, key=number)


def installed(package: str, version: str, work: Path) -> Path:
    """A folder for `PYTHONPATH` that has this version of a package and nothing that it needs.

    Args:
        package: name in the index.
        version: of it.
        work: folder that keeps it for the next time.

    Raises:
        UserError: there is no such version for this Python and machine.
    """
    folder = work / f"{package}-{version}"
    if not (folder / COMPLETE).exists():
        options = ("--no-deps", "--only-binary", ":all:", "--upgrade", "--target", str(folder))
        _pip("install", "--quiet", *options, f"{package}=={version}")
        files.write_text(folder / COMPLETE, "")
    return folder


def _pip(*words: str) -> str:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *words]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise UserError(f"pip {' '.join(words)}: {(said or ['failed'])[-1]}")
    return done.stdout
