"""Rules that values read from JSON must keep: types, bounds, nothing missing and nothing unknown.

A rule yields a line for each violation, which begins with the key: `front_end.hop_ms: 1e9, expected
a number from 1 to 1000`.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

SHOWN_CHARACTERS = 40  # of a wrong value


class Rule(Protocol):
    """What a value must be."""

    def violations(self, key: str, value: Any) -> Iterator[str]:
        """A line for each violation.

        Args:
            key: of the value, with those above it.
            value: as JSON was read.
        """


@dataclasses.dataclass(frozen=True)
class Value:
    """One value without parts.

    Attributes:
        expected: in words.
        holds: whether it is one.
    """

    expected: str
    holds: Callable[[Any], bool]

    def violations(self, key: str, value: Any) -> Iterator[str]:
        """As in `Rule`."""
        if not self.holds(value):
            yield f"{key}: {_shown(value)}, expected {self.expected}"


@dataclasses.dataclass(frozen=True)
class List:
    """A list of `least` to `most` values of one rule."""

    of: Rule
    least: int
    most: int

    def violations(self, key: str, value: Any) -> Iterator[str]:
        """As in `Rule`."""
        if not isinstance(value, list) or not self.least <= len(value) <= self.most:
            found = f"{len(value)} values" if isinstance(value, list) else _shown(value)
            count = str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
            yield f"{key}: {found}, expected a list of {count}"
            return
        for index, part in enumerate(value):
            yield from self.of.violations(f"{key}[{index}]", part)


@dataclasses.dataclass(frozen=True)
class Map:
    """Values of one rule by names that the writer chose."""

    of: Rule

    def violations(self, key: str, value: Any) -> Iterator[str]:
        """As in `Rule`."""
        if not isinstance(value, dict):
            yield f"{key}: {_shown(value)}, expected names with values"
            return
        for name, part in value.items():
            yield from self.of.violations(f"{key}.{name[:SHOWN_CHARACTERS]}", part)


@dataclasses.dataclass(frozen=True)
class Record:
    """Values by known names, some of which may be missing."""

    required: Mapping[str, Rule]
    optional: Mapping[str, Rule] = dataclasses.field(default_factory=dict)

    def violations(self, key: str, value: Any) -> Iterator[str]:
        """As in `Rule`."""
        if not isinstance(value, dict):
            yield f"{key}: {_shown(value)}, expected names with values"
            return
        before = f"{key}." if key else ""
        for name in sorted(self.required.keys() - value.keys()):
            yield f"{before}{name}: missing"
        for name, part in value.items():
            rule = self.required.get(name) or self.optional.get(name)
            if rule is None:
                yield f"{before}{name[:SHOWN_CHARACTERS]}: unknown"
            else:
                yield from rule.violations(f"{before}{name}", part)


def number(least: float, most: float) -> Value:
    """A finite number within bounds."""
    return Value(
        f"a number from {least:g} to {most:g}",
        lambda value: _is_number(value) and least <= value <= most,  # NaN is not
    )


def whole(least: int, most: int) -> Value:
    """A whole number within bounds."""
    return Value(
        f"a whole number from {least} to {most}",
        lambda value: isinstance(value, int) and _is_number(value) and least <= value <= most,
    )


def text(most: int) -> Value:
    """At least one and at most so many characters."""
    expected = f"a text of at most {most} characters"
    return Value(expected, lambda value: isinstance(value, str) and 0 < len(value) <= most)


def one_of(*values: Any) -> Value:
    """One of these, of the same type."""
    known = {(type(value), value) for value in values}
    return Value(
        f"one of {', '.join(map(str, values))}",
        lambda value: isinstance(value, str | int) and (type(value), value) in known,
    )


FLAG = Value("true or false", lambda value: isinstance(value, bool))


def nullable(rule: Value) -> Value:
    """The same, or null."""
    return Value(f"{rule.expected} or null", lambda value: value is None or rule.holds(value))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    try:
        found = repr(value)
    except ValueError:  # a whole number of thousands of digits
        found = "a number without end"
    return found if len(found) <= SHOWN_CHARACTERS else f"{found[:SHOWN_CHARACTERS]}..."
