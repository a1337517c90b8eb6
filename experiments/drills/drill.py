"""One drill after the other: what is done to a command, what comes of it, and the counts."""

import dataclasses
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from asr_qat.errors import UserError, require
from asr_qat.progress import progress
from asr_qat.provenance import code_commit
from experiments.drills.compare import differences, left
from experiments.drills.instances import BY_NAME, Command, write_inputs
from experiments.drills.process import Ended, Started, scratch
from experiments.drills.rows import DrillRow


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What came of a drill.

    Attributes:
        same: the result is that of the undisturbed run.
        said: or the command ended in one line.
        left: names of temporary files that are there.
        problem: what is wrong, None if nothing is.
    """

    same: bool
    said: bool
    left: tuple[str, ...] = ()
    problem: str | None = None


class Ground:
    """Where the drills take place: inputs, undisturbed runs, and a folder for each drill.

    Args:
        work: a new or empty folder.
    """

    def __init__(self, work: Path) -> None:
        self.inputs = work / "inputs"
        self._work = work
        self._whole: dict[str, Ended] = {}
        write_inputs(self.inputs)

    def words(self, command: Command) -> str:
        """The command as it is typed here."""
        return command.words.format(inputs=self.inputs)

    def reference(self, command: Command) -> Path:
        """The folder of the undisturbed run, which is made the first time."""
        self.whole(command)
        return self._folder(command)

    def whole(self, command: Command) -> Ended:
        """The undisturbed run, made the first time, after those that it needs.

        Raises:
            UserError: it failed.
        """
        if command.name not in self._whole:
            for name in command.needs:
                self.whole(BY_NAME[name])
            folder = self._folder(command)
            folder.mkdir(parents=True)
            command.begin(folder)
            ended = Started(self.words(command), folder).wait()
            require(ended.code == 0, f"{command.name}: failed undisturbed: {ended.said[-2000:]}")
            if command.result is not None:
                source, name = command.result
                shutil.copytree(folder / source, self.inputs / name)
            self._whole[command.name] = ended
        return self._whole[command.name]

    def _folder(self, command: Command) -> Path:
        return self._work / "reference" / command.name

    def new_folder(self, command: Command) -> Path:
        """A folder for one drill; that of the one before is removed."""
        folder = self._work / "drill" / command.name
        for path in (folder, scratch(folder)):
            shutil.rmtree(path, ignore_errors=True)
        folder.mkdir(parents=True)
        command.begin(folder)
        return folder

    def outcome(self, command: Command, folder: Path, ended: Ended) -> Outcome:
        """Of a command that has run in `folder`."""
        reference = self.reference(command)
        remaining = tuple(left(folder, reference))
        if ended.code != 0:
            said = ended.in_one_line
            return Outcome(False, said, remaining, None if said else ended.said[-1000:])
        different = differences(folder, reference)
        return Outcome(not different, False, remaining, "; ".join(different) or None)


def drill_row(
    kind: str,
    command: str,
    how: str,
    cases: Sequence[int],
    drill: Callable[[int], Outcome],
    quiet: bool,
) -> tuple[DrillRow, list[str]]:
    """Run the drills of these numbers; their row, and a line for each one that went wrong."""
    began = time.monotonic()
    outcomes: list[Outcome] = []
    problems = []
    for number in progress(cases, f"{kind}, {command}", len(cases), "drill", quiet):
        try:
            found = drill(number)
        except (OSError, UserError) as error:
            found = Outcome(False, False, problem=str(error))
        outcomes.append(found)
        wrong = found.problem or ", ".join(f"{name} is left" for name in found.left)
        if wrong:
            problems.append(f"{kind}, {command}, {number}: {wrong}")
            print(problems[-1], file=sys.stderr)
    row = DrillRow(
        kind=kind,
        command=command,
        how=how,
        cases=len(outcomes),
        same=sum(each.same for each in outcomes),
        said=sum(each.said for each in outcomes),
        commit=code_commit(),
        wrong=sum(each.problem is not None for each in outcomes),
        left=sum(bool(each.left) for each in outcomes),
        seconds=round(time.monotonic() - began, 1),
    )
    return row, problems
