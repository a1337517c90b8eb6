"""An executor of `concurrent.futures` that gives each job a process of its own.

TensorFlow does not give back the memory of a training, and a process that is killed takes no other
job with it.
"""

import atexit
import concurrent.futures
import functools
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.process import BaseProcess
from typing import Any, TypeVar

from asr_qat.parallel.process import SPAWN, begin_worker

Result = TypeVar("Result")

_LOGGER = logging.getLogger(__name__)

ATTEMPTS = 3  # at a job whose process is killed
PATIENCE_S = 60.0  # for a training to write its checkpoint when it is interrupted
LOOK_S = 0.05  # how often it is seen whether processes have ended
INTERRUPTED = 130  # exit code


class FreshProcesses(concurrent.futures.ThreadPoolExecutor):
    """Threads that each wait for a process with one job.

    A job whose process is killed begins again in another one; the third time its future raises
    `BrokenProcessPool`. `KeyboardInterrupt` is raised in the jobs that run when the executor is
    shut down with `cancel_futures`, and when this process is gone.
    """

    def __init__(self, number: int):
        """Of so many jobs at once."""
        super().__init__(number)
        self._ending = threading.Event()

    def submit(
        self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any
    ) -> "concurrent.futures.Future[Result]":
        """Run `fn` in a new process, where `__main__` and this module alone are imported before."""
        return super().submit(self._run, functools.partial(fn, *args, **kwargs))

    def _run(self, job: Callable[[], Result]) -> Result:
        for attempt in range(1, ATTEMPTS + 1):
            with concurrent.futures.ProcessPoolExecutor(1, SPAWN, initializer=_begin) as one:
                try:
                    return one.submit(_to_its_end, job).result()
                except BrokenProcessPool:
                    if self._ending.is_set():
                        raise
                    if attempt < ATTEMPTS:
                        _LOGGER.warning("a process was killed: its job begins again")
        raise BrokenProcessPool(f"its process was killed {ATTEMPTS} times: is there memory for it?")

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """As of every executor; with `cancel_futures` jobs that run are interrupted."""
        super().shutdown(wait=False, cancel_futures=cancel_futures)
        if cancel_futures:
            self._ending.set()
            _interrupt_all()
        super().shutdown(wait)


def _interrupt_all() -> None:
    """Interrupt the processes that run, and kill those that go on."""
    running = multiprocessing.active_children
    end = time.monotonic() + PATIENCE_S
    told: set[BaseProcess] = set()
    try:
        while (left := running()) and time.monotonic() < end:
            for process in left:
                if process not in told and process.pid is not None:
                    os.kill(process.pid, signal.SIGINT)
                    told.add(process)
            time.sleep(LOOK_S)
    finally:  # a second interrupt ends the patience
        for process in running():
            process.kill()


def _to_its_end(job: Callable[[], Result]) -> Result:
    """In the new process: an interrupt ends it, also where nobody is left to hear of it."""
    try:
        return job()
    except KeyboardInterrupt:
        os._exit(INTERRUPTED)


def _begin() -> None:
    """In the new process, first."""
    begin_worker()
    os.setsid()  # an interrupt on the terminal is for the parent alone, which hands it on
    signal.signal(signal.SIGINT, signal.default_int_handler)
    atexit.register(os._exit, 0)  # TensorFlow's threads may keep Python from its end for minutes
