"""What a file of results promises: a measured value beside its target."""

import dataclasses
from typing import Any


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


def at_least(name: str, value: float, target: float) -> Row:
    """The more, the better."""
    return Row(name, value, target, value >= target)


def equal(name: str, value: Any, target: Any) -> Row:
    """Met by the target alone."""
    return Row(name, value, target, value == target)


def not_worse(name: str, verdict: Any) -> Row:
    """Met by a difference that is shown to be within the margin, or a gain."""
    return Row(name, verdict, "lossless", verdict in ("lossless", "better"))


def without_target(name: str, value: Any) -> Row:
    """A figure for comparison."""
    return Row(name, value, None, None)
