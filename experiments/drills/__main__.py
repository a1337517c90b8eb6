"""`python -m experiments.drills`: kill commands, fill disks, write twice, damage pages; look."""

import dataclasses
import functools
import importlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from asr_qat import files
from asr_qat.commands.arguments import positive_int
from asr_qat.config import load_json
from asr_qat.errors import exit_code, require
from asr_qat.parser import Parser
from asr_qat.provenance import provenance
from asr_qat.remote_path import leave
from experiments.drills import kinds
from experiments.drills.disk import SMALL_DISK, SMALL_FILES, can_mount, full_disk, small_files
from experiments.drills.drill import Ground, Outcome, drill_row
from experiments.drills.instances import BY_NAME, COMMANDS
from experiments.drills.rows import KILLS, DrillResults, DrillRow
from experiments.drills.table import drills_table

# What commands import late: once here, and in no child.
LATE = (
    "asr_qat.corpora.shard",
    "asr_qat.training.run",
    "experiments.study.command",
    "experiments.study.run_study",
    "experiments.study.score_cell",
    "tflite_export.cli",
    "tflite_export.convert.convert",
    "tflite_export.score.card",
    "tflite_export.score.evaluate",
)
KINDS = ("kill", "full disk", "second writer", "damaged page")
OTHERS = 15  # of the kills: one drill of each other kind with each command
Drill = Callable[[np.random.Generator], Outcome]


@dataclasses.dataclass(frozen=True)
class Planned:
    """Drills of one kind with one command; see `DrillRow`."""

    kind: str
    command: str
    how: str
    cases: int
    drill: Drill


def main() -> None:
    """Entry point."""
    leave(exit_code("experiments.drills", _run))


def _run() -> None:
    parser = Parser(prog="experiments.drills", description=__doc__)
    parser.add_argument(
        "--kills",
        type=positive_int,
        default=KILLS,
        help="of all commands together; other drills in proportion (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn (%(default)s)")
    parser.add_argument("--only", metavar="NAME", choices=tuple(BY_NAME), help="one command")
    parser.add_argument(
        "--kind", choices=KINDS, help="one kind; the rest of the file stays, as with --only"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--out", type=Path, default=Path("results/drills.json"))
    args = parser.parse_args()
    require(args.seed >= 0, f"--seed {args.seed}: expected 0 or more")
    _import_once()
    with tempfile.TemporaryDirectory() as work:
        rows: dict[tuple[str, str], DrillRow] = {}
        problems: dict[tuple[str, str], list[str]] = {}
        if (args.kind or args.only) and args.out.exists():
            before = load_json(args.out, DrillResults)
            rows = {row.drilled: row for row in before.rows}
            problems = {key: before.problems_of(*key) for key in rows}
        for each in _planned(Ground(Path(work)), args.kills, args.only):
            if args.kind not in (None, each.kind):
                continue
            row, wrong = drill_row(
                *(each.kind, each.command, each.how, range(each.cases)),
                functools.partial(_attempt, each, args.seed),
                args.quiet,
            )
            rows[row.drilled] = row
            problems[row.drilled] = [line.replace(work, "WORK") for line in wrong]
            # After each: all of them take an hour, and what is measured is not to be lost.
            found = _write(args.out, args.seed, rows.values(), chain(*problems.values()))
    print(drills_table(found))
    missed = [row.name for row in found.targets if row.met is False]
    require(not missed, f"not met: {'; '.join(missed)}")


def _write(
    path: Path, seed: int, rows: Iterable[DrillRow], problems: Iterable[str]
) -> DrillResults:
    """The results so far, and the table beside them."""
    found = DrillResults(**provenance(seed), rows=tuple(rows), problems=tuple(problems))
    found = found.with_targets()
    files.write_json(path, dataclasses.asdict(found))
    files.write_text(path.with_suffix(".md"), drills_table(found))
    return found


def _import_once() -> None:
    """Import what the commands need; computes nothing, so that forks are whole processes."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in LATE:
        importlib.import_module(name)


def _planned(ground: Ground, kills: int, only: str | None) -> Iterator[Planned]:
    """All drills, in order."""
    chosen = [command for command in COMMANDS if only in (None, command.name)]
    shares = sum(command.share for command in chosen)
    for command in chosen:
        cases = max(1, round(kills * command.share / shares))
        kill = functools.partial(kinds.killed, ground, command)
        how = "killed at a random point, and run again"
        yield Planned("kill", command.name, how, cases, kill)
    others = kills // OTHERS
    if others == 0:
        return
    drill, how = (full_disk, SMALL_DISK) if can_mount() else (small_files, SMALL_FILES)
    for command in chosen:
        if command.name != "study":  # its parts are drilled
            full = functools.partial(drill, ground, command)
            yield Planned("full disk", command.name, how, others, full)
    for command in chosen:
        if command.name in kinds.LOCKS:
            twice = functools.partial(kinds.second_writer, ground, command)
            yield Planned("second writer", command.name, "begun while it runs", others, twice)
    for name, damage, what in (
        ("train", kinds.damaged_shard, "a page of a shard"),
        ("evaluate", kinds.damaged_file, "a page of the .tflite"),
    ):
        if BY_NAME[name] in chosen:
            ground.whole(BY_NAME[name])
            damaged = functools.partial(damage, ground)
            yield Planned("damaged page", name, what, others, damaged)


def _attempt(planned: Planned, seed: int, number: int) -> Outcome:
    """One drill; what is drawn in it depends on no other one."""
    name = f"{planned.kind} {planned.command}".encode()
    return planned.drill(np.random.default_rng([seed, *name, number]))


if __name__ == "__main__":
    main()
