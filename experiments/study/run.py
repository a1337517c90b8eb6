"""A study: cells handed to worker processes, resumed where it was interrupted."""

import asyncio
import contextlib
import dataclasses
import fcntl
import fnmatch
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from asr_qat import files
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError, require
from asr_qat.models.model_directory import WEIGHTS
from asr_qat.progress import progress_bar
from experiments.study.cells import Cell, expand
from experiments.study.config import StudyConfig
from experiments.study.fingerprint import corpus_checksum, fingerprint
from experiments.study.histograms import write_histograms
from experiments.study.mixtures import measure_for, sensitivity_file, unmeasured
from experiments.study.speed import measure_speed
from experiments.study.summary import write_summary
from experiments.study.worker import encode_job
from experiments.study.write_report import write_report

MOST_MEMORY_MB = 6144.0  # of a worker between cells; TensorFlow keeps a little of each
PATIENCE_S = 60.0  # for a worker to write its checkpoint when it is to stop


@dataclasses.dataclass(frozen=True)
class Job:
    """A cell and whether its result is there already."""

    cell: Cell
    fingerprint: dict[str, Any]
    output: Path
    done: bool


def plan(config: StudyConfig, only: str | None = None) -> list[Job]:
    """All cells in the order in which they are to run.

    Args:
        config: of the study.
        only: name of a group, or pattern of cells' names such as `w4a8_*`; the baselines that
            they are compared with are chosen too.

    Raises:
        UserError: no such cells, or a finished one that was made in another way.
    """
    folder = PreparedFolder(config.data)
    corpus = corpus_checksum(folder, ("train", *config.splits))
    jobs = []
    for cell in _chosen(expand(config), only):
        output = Path(config.output) / "cells" / f"{cell.name}.json"
        now = fingerprint(cell, corpus)
        done = output.is_file()
        if done:
            _check_same(output, now)
        jobs.append(Job(cell, now, output, done))
    return jobs


def study(
    config: StudyConfig, only: str | None = None, workers: int = 1, quiet: bool = False
) -> dict[str, Any]:
    """Run the cells that are not finished, and write summary and report of all that are.

    Args:
        config: of the study.
        only: see `plan`.
        workers: processes.
        quiet: no progress.

    Returns:
        The content of `OUTPUT.json`.

    Raises:
        UserError: as `plan`; the same study runs already; or, in the end, cells that failed.
    """
    measure_for(config, quiet)
    jobs = plan(config, only)
    with _alone(Path(config.work)):
        runner = _Runner(config, jobs, quiet)
        try:
            asyncio.run(runner.run(workers))
            measure_speed(config, quiet)
        finally:
            content = _report(config)
    if runner.errors:
        lines = "; ".join(f"{name}: {error}" for name, error in runner.errors.items())
        raise UserError(
            f"{len(runner.errors)} of {len(jobs)} cells failed, logs in {config.work}/logs: {lines}"
        )
    return content


def report(config: StudyConfig) -> dict[str, Any]:
    """Write the summary of the finished cells, tables, plots and page. Returns the summary.

    Raises:
        UserError: no cell is finished, one was made in another way, or mixtures are not known.
    """
    run = "run `asr-qat study` without --report"
    finished = any(job.done for job in plan(config))
    require(finished, f"{config.output}: no cell is finished yet: {run}")
    measured = not unmeasured(config)
    require(measured, f"{sensitivity_file(config)}: not measured yet, for the mixtures: {run}")
    return _report(config)


def _report(config: StudyConfig) -> dict[str, Any]:
    content = write_summary(config)
    if content["rows"]:
        write_histograms(config)
        write_report(f"{config.output}.json")
    return content


class _Runner:
    """Hands out jobs."""

    def __init__(self, config: StudyConfig, jobs: list[Job], quiet: bool):
        self._config = config
        self._quiet = quiet
        self._jobs = {job.cell.name: job for job in jobs}
        self._waiting = [job.cell.name for job in jobs if self._to_run(job)]
        self._running: set[str] = set()
        self._changed = asyncio.Condition()
        self._bar = progress_bar("study", len(jobs), "cell", quiet)
        self.errors: dict[str, str] = {}

    def _to_run(self, job: Job) -> bool:
        """Whether it is not finished, or lacks the model that another one is to quantize."""
        if not job.done:
            return True
        return not (job.cell.model / WEIGHTS).is_file() and any(
            other.cell.source == job.cell.name and not other.done for other in self._jobs.values()
        )

    async def run(self, workers: int) -> None:
        """Until all is done or has failed."""
        self._bar.update(len(self._jobs) - len(self._waiting))
        self._bar.refresh()
        try:
            count = min(workers, len(self._waiting))
            async with asyncio.TaskGroup() as group:
                for number in range(count):
                    group.create_task(self._serve(number, count))
        finally:
            self._bar.close()

    async def _serve(self, number: int, workers: int) -> None:
        """One worker, begun again if it dies or has become large."""
        process = None
        try:
            while name := await self._next():
                if process is None or process.returncode is not None:
                    process = await self._start(number, workers)
                answer = await self._ask(process, self._jobs[name], number)
                await self._finish(name, answer)
                if answer.get("memory_mb", 0.0) > MOST_MEMORY_MB:
                    await _stop(process)
        finally:
            if process is not None and process.returncode is None:
                await _stop(process)

    async def _next(self) -> str | None:
        """The first job that can run; None when there is none left."""
        async with self._changed:
            while self._waiting:
                for name in self._waiting:
                    cell = self._jobs[name].cell
                    needed = cell.source
                    if needed in self.errors:
                        self._waiting.remove(name)
                        self.errors[name] = f"its model, of {needed}, failed"
                        break
                    if needed not in self._running and needed not in self._waiting:
                        self._waiting.remove(name)
                        self._running.add(name)
                        return name
                else:
                    await self._changed.wait()
        return None

    async def _start(self, number: int, workers: int) -> asyncio.subprocess.Process:
        logs = Path(self._config.work) / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        threads = str(max(1, len(os.sched_getaffinity(0)) // workers))
        names = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "experiments.study.worker",
            str(logs / f"worker{number}.log"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **dict.fromkeys(names, threads)},
            start_new_session=True,  # an interrupt on the terminal is for the study alone
        )

    async def _ask(self, process, job: Job, number: int) -> dict[str, Any]:
        """Have a worker run a job."""
        try:
            process.stdin.write(encode_job(job.cell, job.fingerprint, job.output).encode())
            await process.stdin.drain()
            line = await process.stdout.readline()
        except ConnectionError:
            line = b""
        if line:
            return json.loads(line)
        code = await process.wait()
        return {"error": f"its process ended with exit code {code}: see worker{number}.log"}

    async def _finish(self, name: str, answer: dict[str, Any]) -> None:
        async with self._changed:
            self._running.remove(name)
            if answer["error"] is not None:
                self.errors[name] = answer["error"]
            self._changed.notify_all()
        self._bar.update(1)
        if not self._quiet:
            said = answer["error"] or f"WER {answer['wer']:.2%}, {answer['seconds']:.0f} s"
            self._bar.write(f"{name}: {said}", file=sys.stderr)


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End of input, and some time for a checkpoint."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        await asyncio.wait_for(process.wait(), PATIENCE_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _chosen(cells: list[Cell], only: str | None) -> list[Cell]:
    if only is None:
        return cells
    chosen = [
        cell
        for cell in cells
        if only in cell.groups or fnmatch.fnmatch(cell.name, only) or only == cell.name
    ]
    if not chosen:
        groups = sorted({group for cell in cells for group in cell.groups})
        raise UserError(
            f"--only {only}: no such group or cell: groups are {', '.join(groups)}, and a pattern "
            "is such as 'w4a8_*'"
        )
    names = {name for cell in chosen for name in (cell.name, cell.baseline, cell.source)}
    return [cell for cell in cells if cell.name in names]


def _check_same(output: Path, now: dict[str, Any]) -> None:
    """Raise `UserError` if a finished cell was made in another way."""
    content = files.read_json(output)
    before = content.get("fingerprint") if isinstance(content, dict) else None
    if not isinstance(before, dict):
        raise UserError(f"{output}: damaged: remove it, and the cell is run again")
    other = [key for key in now if now[key] != before.get(key)]
    if other:
        raise UserError(
            f"{output}: the cell was made with another {', '.join(other)}: remove it to have it "
            "run again, or give the study another `output` and `work`"
        )


@contextlib.contextmanager
def _alone(work: Path) -> Iterator[None]:
    """Raise `UserError` while another process runs a study in this folder."""
    work.mkdir(parents=True, exist_ok=True)
    with (work / "study.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{work}: another study runs in this folder: wait for it") from None
        yield
