"""Files that run in processes of their own, LiteRT's and ONNX Runtime's alike."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from asr_qat.errors import UserError
from asr_qat.progress import progress
from experiments.pretrained_scale.rows import SpeedRow, StartRow
from tflite_export.runtime.widen import AUTO, Widen

PEER = Path(__file__).with_name("onnx_peer.py")
OWN = "experiments.pretrained_scale.litert_run"
MIB = 2**20 / 1e6  # MB (10^6)


class Running:
    """A process that has loaded a file and run it once; see `litert_run` and `onnx_peer.py`.

    Attributes:
        first: what it said of that.

    Raises:
        UserError: it ended.
    """

    def __init__(self, command: Sequence[str], cache: Path):
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            env={**os.environ, "ASR_QAT_CACHE": str(cache)},
        )
        self._command = command
        self.first = self._answer()

    def again(self) -> float:
        """CPU time of one more run, ms."""
        return self.times()["cpu_ms"]

    def times(self) -> dict[str, float]:
        """`cpu_ms` and `wall_ms` of one more run."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return self._answer()

    def end(self) -> None:
        """End the process."""
        self._process.communicate()

    def _answer(self) -> dict[str, float]:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            if line.startswith("{"):  # libraries print too
                found: dict[str, float] = json.loads(line)
                return found
        raise UserError(f"ended early: {' '.join(self._command)}")


def litert(
    path: Path, weight_cache: bool = False, widen: Widen = AUTO, threads: int = 1
) -> list[str]:
    """The command that runs a `.tflite`; arguments are those of `TFLiteRecogniser`."""
    options = [*(["--weight-cache"] if weight_cache else []), "--widen", str(widen)]
    return [sys.executable, "-m", OWN, str(path), *options, "--threads", str(threads)]


def onnx(path: Path, peer_python: Path, frames: int, threads: int = 1) -> list[str]:
    """The command that runs a model in ONNX Runtime."""
    options = ["--frames", str(frames), "--threads", str(threads)]
    return [str(peer_python), str(PEER), "run", str(path), *options]


def size_mb(path: Path) -> float:
    """Of a model with all its files, MB (10^6)."""
    return sum(file.stat().st_size for file in path.parent.glob(f"{path.name}*")) / 1e6


Command = tuple[str, str, Path, list[str]]  # runtime, weights, file, command


def speeds(
    commands: Sequence[Command], seconds: float, rounds: int, cache: Path, quiet: bool
) -> tuple[SpeedRow, ...]:
    """Time files in turn, once in each round: ratios are medians of the rounds' ratios.

    Args:
        commands: of the files; the others are compared with the first one.
        seconds: of audio in a run.
        rounds: timed runs of each file.
        cache: folder for packed weights.
        quiet: no progress.
    """
    running = [Running(command, cache) for *_, command in commands]
    for each in running:
        each.again()
    shown = progress(range(rounds), "time", rounds, "round", quiet)
    taken = np.array([[each.again() for each in running] for _ in shown])
    for each in running:
        each.end()
    return tuple(
        SpeedRow(
            runtime=runtime,
            weights=weights,
            mb=size_mb(path),
            cpu_ms=float(np.median(own)),
            rtf=float(np.median(own)) / 1000 / seconds,
            slower=float(np.median(own / taken[:, 0])),
        )
        for (runtime, weights, path, _), own in zip(commands, taken.T, strict=True)
    )


def starts(
    commands: Sequence[Command], rounds: int, cache: Path, quiet: bool
) -> tuple[StartRow, ...]:
    """Load files in fresh processes, in turn; arguments are those of `speeds`.

    A weight cache is made before, and each file has been read once.
    """
    for *_, command in commands:
        Running(command, cache).end()
    found: list[list[Mapping[str, float]]] = [[] for _ in commands]
    for _ in progress(range(rounds), "start", rounds, "round", quiet):
        for (*_, command), own in zip(commands, found, strict=True):
            process = Running(command, cache)
            process.end()
            own.append(process.first)
    rows = []
    for (runtime, weights, path, _), own in zip(commands, found, strict=True):
        medians = {key: float(np.median([each[key] for each in own])) for key in own[0]}
        mb, anonymous, peak = size_mb(path), medians["anonymous_mb"], medians["peak_mb"]
        rows.append(
            StartRow(
                runtime=runtime,
                weights=weights,
                mb=mb,
                first_ms=medians["first_ms"],
                anonymous_mb=anonymous * MIB,
                peak_mb=peak * MIB,
                of_file=(anonymous * MIB / mb, peak * MIB / mb),
            )
        )
    return tuple(rows)
