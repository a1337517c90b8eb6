"""What `results/drills.json` holds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.targets import Row, equal

KILLS = 300  # of a full run


@dataclasses.dataclass(frozen=True, kw_only=True)
class DrillRow:
    """One kind of drill with one command.

    Attributes:
        kind: `kill`, `full disk`, `second writer` or `damaged page`.
        command: its name.
        how: what was done, in words.
        cases: how often.
        same: ended in the result of the undisturbed run.
        said: ended in one line that says what is wrong, where that is as good.
        wrong: anything else: another result, a traceback, a command that did not end.
        left: cases after which a temporary file was there.
        seconds: that all of it took.
        commit: of the code that was drilled.
    """

    kind: str
    command: str
    how: str
    cases: int
    same: int
    said: int
    wrong: int
    left: int
    seconds: float
    commit: str

    @property
    def drilled(self) -> tuple[str, str]:
        """Kind and command."""
        return self.kind, self.command


@dataclasses.dataclass(frozen=True, kw_only=True)
class DrillResults(Provenance):
    """All drills.

    Attributes:
        rows: by kind and command.
        problems: what went wrong, a line each.
        targets: what was promised.
    """

    rows: tuple[DrillRow, ...]
    problems: tuple[str, ...]
    targets: tuple[Row, ...] = ()

    def problems_of(self, kind: str, command: str) -> list[str]:
        """What went wrong in a row."""
        return [line for line in self.problems if line.startswith(f"{kind}, {command}, ")]

    def with_targets(self) -> "DrillResults":
        """The same with what was promised of it."""
        kinds = list(dict.fromkeys(row.kind for row in self.rows))
        targets = []
        for kind in kinds:
            rows = [row for row in self.rows if row.kind == kind]
            cases = sum(row.cases for row in rows)
            name = f"{kind}: of {cases} cases neither the same result nor one line"
            targets.append(equal(name, sum(row.wrong for row in rows), 0))
            if kind != "damaged page":
                name = f"{kind}: of {cases} cases a temporary file is left after the next run"
                targets.append(equal(name, sum(row.left for row in rows), 0))
        return dataclasses.replace(self, targets=tuple(targets))
