"""What `results/fuzz.json` holds."""

import collections
import dataclasses
from collections.abc import Sequence

from asr_qat.provenance import Provenance
from experiments.fuzz.outcome import Kind, Outcome
from experiments.fuzz.registry import cases_of
from experiments.targets import Row, at_least, equal

MOST_FAILURES = 20  # that are kept of each target


@dataclasses.dataclass(frozen=True)
class Failure:
    """A case that the product took wrongly.

    Attributes:
        number: of the case.
        kind: of the outcome.
        reason: one line of what was said.
    """

    number: int
    kind: str
    reason: str


@dataclasses.dataclass(frozen=True)
class InputRow:
    """One kind of input.

    Attributes:
        name: of the target.
        cases: that were run.
        same: accepted with the result of the valid input, or with a word on what differs.
        refused: by a `UserError`.
        different: accepted with another result, silently.
        tracebacks: other exceptions.
        crashes: the process ended, or took too much memory.
        hangs: no answer in 10 s.
        seconds: that all cases took.
        seed: of the cases.
        commit: of the code that ran them.
        failures: the first ones.
    """

    name: str
    cases: int
    same: int
    refused: int
    different: int
    tracebacks: int
    crashes: int
    hangs: int
    seconds: float
    seed: int
    commit: str
    failures: tuple[Failure, ...] = ()

    @property
    def wrong(self) -> int:
        """Cases that the product took wrongly."""
        return self.different + self.tracebacks + self.crashes + self.hangs


def input_row(
    name: str, outcomes: Sequence[Outcome], seconds: float, seed: int, commit: str
) -> InputRow:
    """Count the outcomes of a target."""
    counts = collections.Counter(outcome.kind for outcome in outcomes)
    wrong = [outcome for outcome in outcomes if not outcome.kind.right]
    return InputRow(
        name=name,
        cases=len(outcomes),
        same=counts[Kind.SAME],
        refused=counts[Kind.REFUSED],
        different=counts[Kind.DIFFERENT],
        tracebacks=counts[Kind.TRACEBACK],
        crashes=counts[Kind.CRASH],
        hangs=counts[Kind.HANG],
        seconds=round(seconds, 1),
        seed=seed,
        commit=commit,
        failures=tuple(
            Failure(each.number, each.kind.value, each.reason) for each in wrong[:MOST_FAILURES]
        ),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class FuzzResults(Provenance):
    """Changed inputs and what became of them.

    Attributes:
        inputs: a row for each target.
        targets: what was promised of them.
    """

    inputs: tuple[InputRow, ...]
    targets: tuple[Row, ...] = ()

    def with_targets(self) -> "FuzzResults":
        """The same with `targets` of all rows."""
        rows = [target for row in self.inputs for target in _targets(row)]
        return dataclasses.replace(self, targets=tuple(rows))


def _targets(row: InputRow) -> list[Row]:
    return [
        at_least(f"{row.name}: cases", row.cases, cases_of(row.name)),
        equal(f"{row.name}: tracebacks", row.tracebacks, 0),
        equal(f"{row.name}: crashes", row.crashes, 0),
        equal(f"{row.name}: hangs over 10 s", row.hangs, 0),
        equal(f"{row.name}: silently different results", row.different, 0),
    ]
