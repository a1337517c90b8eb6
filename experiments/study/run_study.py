"""A study: its cells are run by workers, resumed where it was interrupted."""

import contextlib
import fnmatch
import sys
from pathlib import Path

from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError, require
from asr_qat.lock import NAME, locked
from asr_qat.models.model_directory import WEIGHTS
from asr_qat.parallel.workers import Workers
from asr_qat.progress import progress_bar
from experiments.study.cell_job import Job
from experiments.study.cell_rows import Fingerprint
from experiments.study.config import StudyConfig
from experiments.study.file_speed import measure_speed
from experiments.study.fingerprint import corpus_checksum, fingerprint
from experiments.study.mixtures import measure_for, sensitivity_file, unmeasured
from experiments.study.planned_cells import PlannedCell, expand
from experiments.study.run_cells import run_cells
from experiments.study.saved_study import cell_path, read_cell
from experiments.study.study_page import write_report
from experiments.study.study_rows import StudySummary
from experiments.study.summary import write_summary
from experiments.study.weight_histograms import write_histograms

ALONE = Workers(fresh=True)  # one cell after the other


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
    logs = Path(config.work) / "logs"
    jobs = []
    for cell in _chosen(expand(config), only):
        output = cell_path(Path(config.output), cell.name)
        now = fingerprint(cell, corpus)
        done = output.is_file()
        if done:
            _check_same(output, now)
        jobs.append(Job(cell, now, output, logs / f"{cell.name}.log", done))
    return jobs


def study(
    config: StudyConfig,
    only: str | None = None,
    workers: Workers = ALONE,
    quiet: bool = False,
) -> StudySummary:
    """Run the cells that are not finished, and write summary and report of all that are.

    Args:
        config: of the study.
        only: see `plan`.
        workers: where cells run; each has a process of its own there.
        quiet: no progress.

    Returns:
        The content of `OUTPUT.json`.

    Raises:
        UserError: as `plan`; the same study runs already; or, in the end, cells that failed.
    """
    work = Path(config.work)
    with locked(work / NAME):
        measure_for(config, quiet)
        jobs = plan(config, only)
        if not all(job.done for job in jobs):
            # For all cells together: each of them looks at the sizes alone.
            PreparedFolder(config.data).check_shards(("train", "dev"), quiet)
        try:
            failed = _run(jobs, workers, quiet)
            measure_speed(config, quiet)
        finally:
            summary = _report(config)
    if failed:
        lines = "; ".join(f"{name}: {error}" for name, error in failed.items())
        raise UserError(
            f"{len(failed)} of {len(jobs)} cells failed, logs in {config.work}/logs: {lines}"
        )
    return summary


def report(config: StudyConfig) -> StudySummary:
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


def _report(config: StudyConfig) -> StudySummary:
    summary = write_summary(config)
    if summary.rows:
        write_histograms(config)
        write_report(f"{config.output}.json")
    return summary


def _run(jobs: list[Job], workers: Workers, quiet: bool) -> dict[str, str]:
    """Run the jobs that are not done. Returns an error for each cell that failed, by name."""
    waiting = [job for job in jobs if _is_to_run(job, jobs)]
    failed: dict[str, str] = {}
    bar = progress_bar("study", len(jobs), "cell", quiet)
    cells = run_cells(waiting, workers)
    with contextlib.closing(bar), contextlib.closing(cells):
        bar.update(len(jobs) - len(waiting))
        bar.refresh()
        for job, outcome in cells:
            name = job.cell.name
            if outcome.error is not None:
                failed[name] = outcome.error
            bar.update(1)
            if not quiet:
                said = outcome.error or f"WER {outcome.wer:.2%}, {outcome.seconds:.0f} s"
                bar.write(f"{name}: {said}", file=sys.stderr)
    return failed


def _is_to_run(job: Job, jobs: list[Job]) -> bool:
    """Whether it is not finished, or lacks the model that another job is to quantize."""
    if not job.done:
        return True
    return not (job.cell.model / WEIGHTS).is_file() and any(
        other.cell.source == job.cell.name and not other.done for other in jobs
    )


def _chosen(cells: list[PlannedCell], only: str | None) -> list[PlannedCell]:
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
            f"--only {only}: no such group or cell: groups are {', '.join(groups)}; a pattern "
            "looks like 'w4a8_*'"
        )
    names = {name for cell in chosen for name in (cell.name, cell.baseline, cell.source)}
    return [cell for cell in cells if cell.name in names]


def _check_same(output: Path, now: Fingerprint) -> None:
    """Raise `UserError` if a finished cell was made in another way."""
    try:
        before = read_cell(output).fingerprint
    except UserError as error:
        raise UserError(f"{error}: remove the file, and the cell is run again") from None
    differ = [key for key, value in vars(now).items() if value != getattr(before, key)]
    if differ:
        raise UserError(
            f"{output}: the cell was made with another {', '.join(differ)}: remove it to have it "
            "run again, or give the study another `output` and `work`"
        )
