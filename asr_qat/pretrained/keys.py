"""Keys of another library's configuration, none of which is ignored silently.

Each is honoured, or known to change nothing, or an error.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, ParamSpec, TypeVar

from asr_qat.errors import UserError

_REQUIRED = object()
BEYOND = 1 << 31  # no layers, samples or hertz are as many
Config = TypeVar("Config")
Parameters = ParamSpec("Parameters")


class ConfigKeys:
    """A dictionary whose keys are taken one by one.

    Args:
        values: of the configuration.
        where: the file and the keys above, for messages.
    """

    def __init__(self, values: Any, where: str):
        if not isinstance(values, Mapping):
            raise UserError(f"{where}: expected keys and values, found {values!r}")
        self._values = dict(values)
        self.where = where

    def take(self, key: str, default: Any = _REQUIRED, kind: type | None = None) -> Any:
        """The value of `key`.

        Args:
            key: name.
            default: what its absence means in the library; without, it must be there.
            kind: its type; an integer is also a `float`.

        Raises:
            UserError: it is missing, has another type, or is a number that nothing can be.
        """
        if key not in self._values and default is _REQUIRED:
            raise UserError(f"{self.where}: key '{key}' is missing")
        value = self._values.pop(key, default)
        if value is default or kind is None:
            return value
        if type(value) not in ((int, float) if kind is float else (kind,)):
            raise self.refusal(key, value, f"expected {kind.__name__}")
        if kind in (int, float) and not abs(value) < BEYOND:
            raise self.refusal(key, value, f"expected a number below {BEYOND}")
        return float(value) if kind is float else value

    def positive(self, key: str, default: int) -> int:
        """The whole number of `key`, by which others are divided.

        Raises:
            UserError: it is less than 1.
        """
        value = int(self.take(key, default, int))
        if value < 1:
            raise self.refusal(key, value, "is less than 1")
        return value

    def whole_numbers(self, key: str, default: Any = _REQUIRED) -> tuple[int, ...]:
        """The whole numbers of `key`, as many as there are.

        Raises:
            UserError: it is missing or something else.
        """
        values = self.take(key, default, list)
        if not all(type(value) is int and abs(value) < BEYOND for value in values):
            raise self.refusal(key, values, "expected whole numbers")
        return tuple(values)

    def make(
        self,
        kind: Callable[Parameters, Config],
        *values: Parameters.args,
        **named: Parameters.kwargs,
    ) -> Config:
        """A configuration of values that were taken here.

        Raises:
            UserError: it cannot be; the message says where these keys are.
        """
        try:
            return kind(*values, **named)
        except UserError as error:
            raise UserError(f"{self.where}: {error}") from None

    def section(self, key: str) -> "ConfigKeys":
        """The keys below `key`."""
        return ConfigKeys(self.take(key), f"{self.where}: {key}")

    def only(self, key: str, default: Any, *others: Any) -> Any:
        """The value of a key that may be absent, `default`, or one of `others`, nothing else.

        Raises:
            UserError: it has another value.
        """
        value = self.take(key, default)
        if value != default and value not in others:
            known = ", ".join(dict.fromkeys(map(repr, (default, *others))))
            raise self.refusal(key, value, f"only {known} can be imported")
        return value

    def without_effect(self, keys: Iterable[str]) -> None:
        """Pass over keys that change nothing in a trained network's output."""
        for key in keys:
            self._values.pop(key, None)

    def refusal(self, key: str, value: Any, reason: str) -> UserError:
        """The error that names a key and its value."""
        return UserError(f"{self.where}: {key}: {value!r}: {reason}")

    def finish(self) -> None:
        """Raise `UserError` naming a key that nobody took, and its value."""
        for key, value in self._values.items():
            raise self.refusal(key, value, "not known to this import, which would ignore it")
