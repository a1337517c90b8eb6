"""Keys of another library's configuration, none of which is ignored silently.

Each is honoured, or known to change nothing, or an error.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from asr_qat.errors import UserError

_REQUIRED = object()


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
            UserError: it is missing or has another type.
        """
        if key not in self._values and default is _REQUIRED:
            raise UserError(f"{self.where}: key '{key}' is missing")
        value = self._values.pop(key, default)
        if kind is float and type(value) is int:
            value = float(value)
        if kind is not None and value is not default and type(value) is not kind:
            raise self.refusal(key, value, f"expected {kind.__name__}")
        return value

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
