"""Run jobs to their end, whatever becomes of single workers."""

import concurrent.futures
import itertools
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from asr_qat.errors import UserError
from asr_qat.parallel.workers import OpenWorkers, Workers

Job = TypeVar("Job")
Result = TypeVar("Result")

_LOGGER = logging.getLogger(__name__)

ATTEMPTS = 3  # in a row in which workers are killed and no job is finished


def run_jobs(
    task: Callable[[Job], Result], jobs: Sequence[Job], workers: Workers
) -> Iterator[tuple[Job, Result]]:
    """Yield each job with `task(job)`, in the order in which they end.

    A worker that is killed takes no job with it: all that are not finished are given to new
    workers, until `ATTEMPTS` in a row have finished none.

    Args:
        task: a function of a module, which workers can import.
        jobs: picklable; each may be begun more than once.
        workers: where they run.

    Raises:
        UserError: workers are killed again and again.
        Exception: what `task` raises; jobs that have not begun are left.
    """
    if workers.in_this_process:
        for job in jobs:
            yield job, task(job)
        return
    left = dict(enumerate(jobs))
    failures = 0
    while left:
        opened = workers.open()
        try:
            for number, result in _until_broken(task, left, opened):
                failures = 0
                yield left.pop(number), result
        except concurrent.futures.BrokenExecutor:
            failures += 1
            if failures == ATTEMPTS:
                raise UserError(
                    f"workers were killed {ATTEMPTS} times in a row, with {len(left)} jobs left, "
                    f"the first of them {next(iter(left.values()))}: is there memory for "
                    f"{opened.number} workers?"
                ) from None
            _LOGGER.warning("a worker was killed: %d jobs go to new ones", len(left))
        finally:
            opened.executor.shutdown(cancel_futures=True)


def in_order(
    results: Iterable[tuple[Job, Result]], jobs: Sequence[Job]
) -> Iterator[tuple[Job, Result]]:
    """Results of `run_jobs` in the order of the jobs, each as soon as all before it are there."""
    early: dict[int, Result] = {}
    numbers = {id(job): number for number, job in enumerate(jobs)}
    number = 0
    for job, result in results:
        early[numbers[id(job)]] = result
        while number in early:
            yield jobs[number], early.pop(number)
            number += 1


def _until_broken(
    task: Callable[[Job], Result], jobs: dict[int, Job], opened: OpenWorkers
) -> Iterator[tuple[int, Result]]:
    """Yield numbers and results of jobs as they end.

    Raises:
        BrokenExecutor: a worker was killed.
    """
    waiting = iter(list(jobs.items()))
    running: dict[concurrent.futures.Future[Result], int] = {}

    def submit(most: int) -> None:
        for number, job in itertools.islice(waiting, most):
            running[opened.executor.submit(task, job)] = number

    submit(opened.given)
    while running:
        done, _ = concurrent.futures.wait(running, return_when=concurrent.futures.FIRST_COMPLETED)
        # What was finished counts, also where another worker was killed meanwhile.
        for future in sorted(done, key=lambda each: each.exception() is not None):
            result = future.result()
            yield running.pop(future), result
        submit(len(done))
