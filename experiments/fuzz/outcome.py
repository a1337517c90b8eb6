"""What became of one case."""

import dataclasses
import enum


class Kind(str, enum.Enum):
    """Of outcomes: the first three are right, unless there is a silent difference."""

    SAME = "same"
    REFUSED = "refused"
    DIFFERENT = "different"
    TRACEBACK = "traceback"  # an exception that is no `UserError`
    CRASH = "crash"  # the process ended, or took too much memory
    HANG = "hang"  # no answer in time

    @property
    def right(self) -> bool:
        """Whether the product may do so."""
        return self in (Kind.SAME, Kind.REFUSED)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """Of one case.

    Attributes:
        number: of the case.
        kind: of the outcome.
        detail: the refusal, the traceback or the last output of the process.
    """

    number: int
    kind: Kind
    detail: str = ""

    @property
    def reason(self) -> str:
        """One line: of a traceback the last one, of all else the first."""
        lines = self.detail.strip().split("\n")
        return lines[-1 if self.kind is Kind.TRACEBACK else 0]
