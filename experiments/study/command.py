"""`asr-qat study`."""

import argparse

from asr_qat.commands.arguments import add_configuration, add_workers, workers
from asr_qat.cores import usable_cores

HELP = """Train a grid of quantized recognisers with several seeds, export each, and score its
.tflite. An interrupted study resumes where it was: each cell has a result file in OUTPUT/cells,
and what is there is not run again. All together is in OUTPUT.json; OUTPUT.html is
the report."""

DEFAULT_WORKERS = min(2, usable_cores())


def add_parser(subparsers) -> None:
    """Add the subcommand and its arguments."""
    parser = subparsers.add_parser(
        "study",
        help="compare precisions: a grid of trainings, exported and scored",
        description=HELP,
    )
    add_configuration(parser, _configuration, "YAML file, see configs/study_an4.yaml")
    parser.add_argument(
        "--only", metavar="GROUP", help="name of a group, or pattern of cells' names: 'w4a8_*'"
    )
    add_workers(parser, "cells at the same time, each in a process of one thread", DEFAULT_WORKERS)
    parser.add_argument("--list", action="store_true", help="print the cells and run none")
    parser.add_argument(
        "--report", action="store_true", help="write summary and report again, run no cells"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.set_defaults(run=run)


def _configuration() -> type:
    from experiments.study.config import StudyConfig

    return StudyConfig


def run(args: argparse.Namespace) -> None:
    """Run the study, or list its cells."""
    from asr_qat.config import load_yaml
    from experiments.study.config import StudyConfig
    from experiments.study.mixtures import unmeasured
    from experiments.study.run_study import plan, report, study

    config = load_yaml(args.config, StudyConfig, args.settings)
    if args.list:
        jobs = plan(config, args.only)
        for job in jobs:
            state = "done" if job.done else "to do"
            print(f"{state:5}  {job.cell.name}  ({', '.join(job.cell.groups)})")
        for name in unmeasured(config):
            if args.only not in (None, name):
                continue
            mixtures = f"mixtures of {', '.join(map(str, config.groups[name].budgets))}"
            print(f"later  {mixtures}: known after the sensitivity was measured  ({name})")
        print(f"{sum(job.done for job in jobs)} of {len(jobs)} cells are done")
        return
    if args.report:
        summary = report(config)
    else:
        summary = study(config, args.only, workers(args, DEFAULT_WORKERS, fresh=True), args.quiet)
    cells = summary.cells
    print(f"{cells.finished} of {cells.planned} cells; the report: {config.output}.html")
