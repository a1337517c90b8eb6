"""A measured promise."""

import dataclasses
from typing import Any

from asr_qat.provenance import Provenance


@dataclasses.dataclass(frozen=True)
class Row:
    """What was measured, and what it should be.

    Attributes:
        name: in words, with the unit.
        value: a number, or true or false.
        target: the same; None for a figure without one.
        met: whether the value is as good as the target; None without one.
    """

    name: str
    value: Any
    target: Any
    met: bool | None


def at_most(name: str, value: float, target: float) -> Row:
    """The less, the better."""
    return Row(name, value, target, value <= target)


def equal(name: str, value: Any, target: Any) -> Row:
    """Met by the target alone."""
    return Row(name, value, target, value == target)


def without_target(name: str, value: Any) -> Row:
    """A figure for comparison."""
    return Row(name, value, None, None)


@dataclasses.dataclass(frozen=True, kw_only=True)
class MeasuredRow(Row):
    """A row of the file: `commit` is that of the code it was measured with."""

    commit: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class HouseResults(Provenance):
    """What `results/house.json` holds; the provenance is that of the rows measured last.

    Attributes:
        targets: the rows.
        slowest_tests: name and seconds of the slowest tests of `make test`.
    """

    targets: tuple[MeasuredRow, ...]
    slowest_tests: tuple[tuple[Any, ...], ...]
