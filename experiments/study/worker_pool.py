"""Cells in processes of their own, a few at a time.

Each cell has a fresh process, an executor of one worker: TensorFlow does not give back the memory
of a training, and a process that is killed takes no other cell with it. This module is imported
by the worker before its output goes to the log: it imports TensorFlow only where a cell is run.
"""

import atexit
import concurrent.futures
import contextlib
import dataclasses
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections.abc import Iterator
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import TYPE_CHECKING

from asr_qat.errors import UserError

if TYPE_CHECKING:
    from experiments.study.cell_rows import Fingerprint
    from experiments.study.planned_cells import PlannedCell

PATIENCE_S = 60.0  # for a worker to write its checkpoint when it is to stop
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


@dataclasses.dataclass(frozen=True)
class Job:
    """A cell to run.

    Attributes:
        cell: what it is.
        fingerprint: of it.
        output: file of its result.
        done: whether that is there.
    """

    cell: "PlannedCell"
    fingerprint: "Fingerprint"
    output: Path
    done: bool


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of a job: an error, or its main figures.

    Attributes:
        error: one line, None if it succeeded.
        wer: on the first split.
        seconds: that it took.
    """

    error: str | None = None
    wer: float = 0.0
    seconds: float = 0.0


@dataclasses.dataclass(frozen=True)
class _Worker:
    """A process and the job it runs."""

    job: Job
    log: Path
    executor: concurrent.futures.ProcessPoolExecutor
    future: "concurrent.futures.Future[Outcome]"
    process: SpawnProcess

    def outcome(self) -> Outcome:
        """Of a job that has ended; the process is gone afterwards."""
        try:
            found = self.future.result()
        except BrokenProcessPool:
            self.executor.shutdown()
            code = self.process.exitcode
            found = Outcome(f"its process ended with exit code {code}: see {self.log}")
        self.executor.shutdown()
        return found


class WorkerPool:
    """Runs jobs in at most `workers` processes, which share the cores.

    As a context it stops what still runs at its end: each training writes a checkpoint.
    """

    def __init__(self, logs: Path, workers: int):
        """What workers print is appended to a file per cell in `logs`."""
        self._logs = logs
        self._workers = workers
        self._running: list[_Worker] = []

    @property
    def running(self) -> list[str]:
        """Names of the cells that run."""
        return [worker.job.cell.name for worker in self._running]

    @property
    def is_full(self) -> bool:
        """Whether no further job can be started."""
        return len(self._running) >= self._workers

    def start(self, job: Job) -> None:
        """Run a job in a new process."""
        self._logs.mkdir(parents=True, exist_ok=True)
        log = self._logs / f"{job.cell.name}.log"
        context = multiprocessing.get_context("spawn")
        executor = concurrent.futures.ProcessPoolExecutor(
            1, context, initializer=_begin, initargs=(str(log),)
        )
        before = set(multiprocessing.active_children())
        with _inherited(max(1, len(os.sched_getaffinity(0)) // self._workers)):
            future = executor.submit(run_job, job)
        (process,) = set(multiprocessing.active_children()) - before
        assert isinstance(process, SpawnProcess)
        self._running.append(_Worker(job, log, executor, future, process))

    def wait(self) -> Iterator[tuple[Job, Outcome]]:
        """Wait until a job ends. Yields the jobs that have ended."""
        futures = [worker.future for worker in self._running]
        concurrent.futures.wait(futures, return_when=concurrent.futures.FIRST_COMPLETED)
        for worker in [worker for worker in self._running if worker.future.done()]:
            self._running.remove(worker)
            yield worker.job, worker.outcome()

    def __enter__(self) -> "WorkerPool":
        return self

    def __exit__(self, *_: object) -> None:
        try:
            for worker in self._running:
                if worker.process.is_alive() and worker.process.pid is not None:
                    os.kill(worker.process.pid, signal.SIGINT)
            end = time.monotonic() + PATIENCE_S
            for worker in self._running:
                worker.process.join(max(0.0, end - time.monotonic()))
        finally:  # a second interrupt ends the patience
            for worker in self._running:
                worker.process.kill()
                worker.executor.shutdown(cancel_futures=True)
            self._running.clear()


@contextlib.contextmanager
def _inherited(threads: int) -> Iterator[None]:
    """What a process that is started here takes over: its threads, and to wait with an interrupt.

    An interrupt on the terminal is for the study alone, which then stops its workers. Until a
    worker has left the terminal's process group, `_begin`, it must not see it.
    """
    before = {name: os.environ.get(name) for name in THREADS}
    os.environ.update(dict.fromkeys(THREADS, str(threads)))
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def _begin(log: str) -> None:
    """In the worker, first: output goes to its log, and it ends with its parent."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(descriptor, 1)
    os.dup2(descriptor, 2)
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # may be ignored in the background
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os.kill(os.getpid(), signal.SIGINT)


def run_job(job: Job) -> Outcome:
    """In the worker: run the cell of a job. An interrupt ends the process, after a checkpoint."""
    try:
        from asr_qat.log import show_log
        from asr_qat.training.graph_options import keep_graphs_as_they_are
        from experiments.study.score_cell import run_cell

        # TensorFlow's threads may keep Python from its end for minutes.
        atexit.register(os._exit, 0)
        show_log()
        keep_graphs_as_they_are()
        print(f"== {job.cell.name}", flush=True)
        result = run_cell(job.cell, job.fingerprint, job.output)
        return Outcome(None, result.first.wer, sum(result.seconds.values()))
    except UserError as error:
        return Outcome(str(error))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        os._exit(130)
    except Exception as error:  # a cell must not stop the others
        traceback.print_exc()
        return Outcome(f"{type(error).__name__}: {error}")
