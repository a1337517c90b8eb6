"""Runs files in runtimes that are installed for it, each in processes of its own."""

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from asr_qat import files
from asr_qat.arrays import Array
from experiments.runtimes.install import BEFORE, LITERT, installed
from experiments.runtimes.precision_files import product_of
from experiments.runtimes.rows import (
    COMPILED,
    CRASHES,
    DIFFERS,
    INTERPRETER,
    NONE,
    REFUSED,
    SAME,
    SAME_SHARE,
    FileRow,
)
from tflite_export.runtime.metadata import read_metadata

Said = dict[str, str | None]
RUN = Path(__file__).with_name("run_files.py")
NO_INTERFACE = "No module named"


@dataclasses.dataclass(frozen=True)
class Runtime:
    """A version of a package and how it is called; see `FileRow`."""

    package: str
    version: str
    interface: str

    @property
    def name(self) -> str:
        """That of its folder of outputs."""
        return f"{self.package}-{self.version}-{self.interface}"


def runtimes(versions: Sequence[str]) -> list[Runtime]:
    """LiteRT of these versions, and what was there before it."""
    litert = [Runtime(LITERT, each, INTERPRETER) for each in versions]
    compiled = [Runtime(LITERT, each, COMPILED) for each in versions]
    others = [(BEFORE, "2.14.0"), ("tensorflow", version("tensorflow"))]
    return [*litert, *compiled, *(Runtime(*each, INTERPRETER) for each in others)]


def compute(runtime: Runtime, paths: Sequence[Path], work: Path) -> Said:
    """Run files in a runtime: why not, by name, or None; outputs are in `outputs_of`.

    What was found before is read from the disk.

    Args:
        runtime: that computes; LiteRT is installed into `work` if need be.
        paths: of the files, their features beside them.
        work: folder that keeps outputs and installed packages.
    """
    folder = outputs_of(runtime, work)
    kept = folder / "said.json"
    said: Said = files.read_json(kept) if kept.exists() else {}
    missing = [path for path in paths if path.stem not in said]
    if missing:
        folder.mkdir(parents=True, exist_ok=True)
        said |= dict(_said(runtime, missing, work, folder))
        files.write_json(kept, said)
    return said


def outputs_of(runtime: Runtime, work: Path) -> Path:
    """The folder of its outputs."""
    return work / "outputs" / runtime.name


def _said(
    runtime: Runtime, paths: list[Path], work: Path, folder: Path
) -> Iterator[tuple[str, str | None]]:
    """The error of each file or None; a process that dies is started again behind its file."""
    environment = dict(os.environ)
    if runtime.package != "tensorflow":
        own = installed(runtime.package, runtime.version, work / "installed")
        environment["PYTHONPATH"] = str(own)
    command = [sys.executable, str(RUN), runtime.package, runtime.interface]
    while paths:
        words = [*command, str(folder), *map(str, paths)]
        done = subprocess.run(words, capture_output=True, text=True, env=environment)
        lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
        for line in lines:  # libraries print too
            answer = json.loads(line)
            yield answer["file"], answer["error"]
        if len(lines) < len(paths):
            yield paths[len(lines)].stem, f"{CRASHES}: {_death(done)}"
        paths = paths[len(lines) + 1 :]


def _death(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode < 0:
        return f"signal {-done.returncode}"
    return (done.stderr.strip().splitlines() or ["no message"])[-1]


def row_of(runtime: Runtime, reference: Runtime, path: Path, said: Said, work: Path) -> FileRow:
    """What became of the files of a precision in a runtime, beside the reference.

    Args:
        runtime: that computed.
        reference: the other one.
        path: file of the whole model.
        said: what `compute` returned of both.
        work: its folder.
    """
    product = product_of(path)
    message = said[product.stem] or said[path.stem]
    shares: dict[str, float] = {}
    if message is None:
        outputs, expected = outputs_of(runtime, work), outputs_of(reference, work)
        for name, file in (("product", product), ("model", path)):
            own, other = (np.load(folder / f"{file.stem}.npy") for folder in (outputs, expected))
            shares[name] = share_of_range(own, other)
    return FileRow(
        **dataclasses.asdict(runtime),
        precision=path.stem,
        least=read_metadata(path).least_runtime,
        outcome=_outcome(message, shares.get("product", 0.0)),
        product=shares.get("product"),
        model=shares.get("model"),
        message=message,
    )


def _outcome(message: str | None, share: float) -> str:
    if message is None:
        return SAME if share <= SAME_SHARE else DIFFERS
    if NO_INTERFACE in message:
        return NONE
    return CRASHES if message.startswith(CRASHES) else REFUSED


def share_of_range(output: Array, reference: Array) -> float:
    """The largest difference, as a share of the reference's range; 1 if any is no number."""
    worst = float(np.abs(output - reference).max())
    return worst / float(np.ptp(reference)) if np.isfinite(worst) else 1.0
