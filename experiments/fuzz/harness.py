"""Runs cases in a process and watches it: it is started again when a case ends or stops it."""

import contextlib
import dataclasses
import multiprocessing
import shutil
import signal
import tempfile
import time
from collections.abc import Generator, Iterable
from pathlib import Path

import psutil

from experiments.fuzz.outcome import Kind, Outcome
from experiments.fuzz.worker import OUTPUT, READY, serve

POLL_S = 0.1  # between looks at the memory of the process
OUTPUT_CHARACTERS = 4000  # of its end, that are kept


@dataclasses.dataclass(frozen=True)
class Limits:
    """Beyond which a case counts.

    Attributes:
        seconds: for one case.
        memory_gb: of the process, resident.
        start_s: seconds until the process has its inputs.
    """

    seconds: float = 10.0
    memory_gb: float = 4.0
    start_s: float = 300.0


def run(
    module: str, numbers: Iterable[int], seed: int = 0, limits: Limits | None = None
) -> Generator[Outcome, None, None]:
    """Run cases of a target, one after the other.

    Args:
        module: of the target, such as `experiments.fuzz.targets.audio`.
        numbers: of the cases.
        seed: of all of them.
        limits: what counts as a hang or a crash.

    Raises:
        RuntimeError: the target cannot make its inputs.
    """
    with contextlib.closing(_Watched(module, seed, limits or Limits())) as watched:
        for number in numbers:
            yield watched.attempt(number)


class _Watched:
    """A process that runs cases, and the next one when it is gone."""

    def __init__(self, module: str, seed: int, limits: Limits):
        self._module, self._seed, self._limits = module, seed, limits
        self._folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
        self._start()

    def attempt(self, number: int) -> Outcome:
        """Run one case."""
        if not self._process.is_alive():
            self._start()
        with contextlib.suppress(BrokenPipeError):  # it ended after the case before
            self._connection.send(number)
        try:
            if reason := self._wait(self._limits.seconds):
                self._stop()
                kind = Kind.HANG if reason == "hang" else Kind.CRASH
                return Outcome(number, kind, f"{reason}\n{self._output()}")
            found: Outcome = self._connection.recv()
            return found
        except (EOFError, ConnectionResetError):
            said = self._ended_by()
            return Outcome(number, Kind.CRASH, f"{said}\n{self._output()}")

    def close(self) -> None:
        """End the process and remove its files."""
        self._stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self) -> None:
        shutil.rmtree(self._folder)
        self._folder.mkdir()
        context = multiprocessing.get_context("spawn")
        self._connection, other = context.Pipe()
        self._process = context.Process(
            target=serve,
            args=(self._module, self._seed, self._folder, self._limits.seconds, other),
            daemon=True,
        )
        self._process.start()
        other.close()  # so that the end of the process is the end of the connection
        try:
            said = self._wait(self._limits.start_s) or self._connection.recv()
        except EOFError:
            said = self._ended_by()
        if said != READY:
            output = self._output()
            self.close()
            raise RuntimeError(f"{self._module} cannot make its inputs: {said}\n{output}")

    def _wait(self, seconds: float) -> str | None:
        """Wait for an answer: None if there is one or will be none, else why not."""
        end = time.monotonic() + seconds
        while not self._connection.poll(POLL_S):
            if time.monotonic() > end:
                return "hang"
            gigabytes = self._gigabytes()
            if gigabytes > self._limits.memory_gb:
                return f"took {gigabytes:.1f} GB of memory"
        return None

    def _gigabytes(self) -> float:
        try:
            return psutil.Process(self._process.pid).memory_info().rss / 2**30
        except psutil.NoSuchProcess:
            return 0.0

    def _stop(self) -> None:
        self._process.kill()
        self._process.join()
        self._connection.close()

    def _ended_by(self) -> str:
        """How the process ended that has closed its connection."""
        self._process.join(POLL_S)
        self._stop()
        code = self._process.exitcode or 0
        return f"ended by {signal.Signals(-code).name}" if code < 0 else f"ended with {code}"

    def _output(self) -> str:
        try:
            return (self._folder / OUTPUT).read_text(errors="replace")[-OUTPUT_CHARACTERS:]
        except FileNotFoundError:
            return ""
