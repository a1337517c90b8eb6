"""A cell as a job for a worker, and what became of it.

A worker imports this module before its output goes to the log: TensorFlow only where a cell is run.
"""

import dataclasses
import os
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from asr_qat.errors import UserError

if TYPE_CHECKING:
    from experiments.study.cell_rows import Fingerprint
    from experiments.study.planned_cells import PlannedCell


@dataclasses.dataclass(frozen=True)
class Job:
    """A cell to run.

    Attributes:
        cell: what it is.
        fingerprint: of it.
        output: file of its result.
        log: file that what its worker prints is appended to.
        done: whether `output` is there.
    """

    cell: "PlannedCell"
    fingerprint: "Fingerprint"
    output: Path
    log: Path
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


def run_job(job: Job) -> Outcome:
    """In a process of its own: run the cell of a job. It must not stop the others."""
    _print_to(job.log)
    try:
        from asr_qat.log import show_log
        from asr_qat.training.graph_options import keep_graphs_as_they_are
        from experiments.study.score_cell import run_cell

        show_log()
        keep_graphs_as_they_are()
        print(f"== {job.cell.name}", flush=True)
        result = run_cell(job.cell, job.fingerprint, job.output)
        return Outcome(None, result.first.wer, sum(result.seconds.values()))
    except UserError as error:
        return Outcome(str(error))
    except Exception as error:
        traceback.print_exc()
        return Outcome(f"{type(error).__name__}: {error}")


def _print_to(log: Path) -> None:
    """What this process prints is appended to a file from now on."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("a") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
