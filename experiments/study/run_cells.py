"""The cells of a study over an executor, each as soon as there is the model that it needs."""

import concurrent.futures
from collections.abc import Generator, Sequence

from asr_qat.parallel.workers import Workers
from experiments.study.cell_job import Job, Outcome, run_job


def run_cells(jobs: Sequence[Job], workers: Workers) -> Generator[tuple[Job, Outcome], None, None]:
    """Yield each job with what became of it, in the order in which they end.

    Where this is left early, jobs that run are interrupted; each training writes a checkpoint.

    Args:
        jobs: in the order in which they are to begin; a cell whose `source` is among them begins
            after that.
        workers: where they run, each in a process of its own.
    """
    if not jobs:
        return
    waiting = list(jobs)
    failed: set[str] = set()
    running: dict[concurrent.futures.Future[Outcome], Job] = {}
    opened = workers.open()
    try:
        while waiting or running:
            unfinished = {job.cell.name for job in (*waiting, *running.values())}
            for job in list(waiting):
                source = job.cell.source
                if source in failed:
                    waiting.remove(job)
                    yield job, Outcome(f"its model, of {source}, failed")
                elif source not in unfinished and len(running) < opened.number:
                    waiting.remove(job)
                    running[opened.executor.submit(run_job, job)] = job
            done, _ = concurrent.futures.wait(
                running, return_when=concurrent.futures.FIRST_COMPLETED
            )
            for future in done:
                job = running.pop(future)
                outcome = _outcome(future, job)
                if outcome.error is not None:
                    failed.add(job.cell.name)
                yield job, outcome
    finally:
        opened.executor.shutdown(cancel_futures=True)


def _outcome(future: "concurrent.futures.Future[Outcome]", job: Job) -> Outcome:
    try:
        return future.result()
    except concurrent.futures.BrokenExecutor as error:
        return Outcome(f"{error} See {job.log}")
