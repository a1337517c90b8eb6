"""Configuration: frozen dataclasses read from YAML, every key checked."""

import dataclasses
import difflib
import json
import re
import types
import typing
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml

from asr_qat.errors import UserError

Config = TypeVar("Config")
_EXPONENT = re.compile(r"[-+]?\d+e[-+]?\d+", re.IGNORECASE)
# Types in words.
_KINDS = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    tuple: "a list",
    dict: "keys and values",
}


def load_yaml(path: str | Path, kind: type[Config], settings: Sequence[str] = ()) -> Config:
    """Read the dataclass `kind` from a YAML file.

    Args:
        path: of the file.
        kind: of the dataclass.
        settings: `KEY=VALUE` each, in the place of the file's: a key below another one after a
            dot, `optimizer.average=0.99`, and a value in YAML.

    Raises:
        UserError: naming the file and the key that is missing, unknown or of a wrong type.
    """
    try:
        content = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such configuration file") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    content = content or {}
    for setting in settings if isinstance(content, dict) else ():  # else the file is refused below
        _set(content, setting)
    return from_dict(kind, content, str(path))


def _set(content: dict[str, Any], setting: str) -> None:
    """Put the value of `KEY=VALUE` into nested dictionaries."""
    path, equals, text = setting.partition("=")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        equals = ""
    if not equals or not path:
        raise UserError(f"--set {setting}: expected KEY=VALUE, such as batches.batch_size=16")
    *above, last = path.split(".")
    for key in above:
        if not isinstance(content.get(key, {}), dict):
            raise UserError(f"--set {setting}: '{key}' holds no further keys")
        content = content.setdefault(key, {})
    content[last] = value


def override(config: Config, **given: Any) -> Config:
    """`config` with those values of `given` that are not None, as options that were given.

    Raises:
        UserError: naming the key whose value is out of range.
    """
    values = {key: value for key, value in given.items() if value is not None}
    return dataclasses.replace(config, **values)  # type: ignore[type-var]


def from_dict(kind: type[Config], values: Any, where: str) -> Config:
    """Build the dataclass `kind` from nested dictionaries; `where` begins the error messages."""
    if not isinstance(values, dict):
        raise UserError(f"{where}: expected {_KINDS[dict]}, found {_written(values)}")
    fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    hints = typing.get_type_hints(kind)
    for key in values:
        if key not in fields:
            near = difflib.get_close_matches(str(key), fields, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(fields)}"
            raise UserError(f"{where}: unknown key '{key}': {hint}")
    for name, field in fields.items():
        required = (
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        )
        if required and name not in values:
            raise UserError(f"{where}: key '{name}' is missing")
    converted = {
        key: _convert(hints[key], value, f"{where}: {key}") for key, value in values.items()
    }
    try:
        return kind(**converted)
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _convert(hint: Any, value: Any, where: str) -> Any:
    """Check `value` against the annotation `hint`; lists become tuples, dicts dataclasses."""
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in typing.get_args(hint):
            return None
        kinds = [a for a in typing.get_args(hint) if a is not type(None)]
        if len(kinds) == 1:
            return _convert(kinds[0], value, where)
        if type(value) in kinds:
            return value
        expected = " or ".join(_KINDS[kind] for kind in kinds)
        raise UserError(f"{where}: expected {expected}, found {_written(value)}")
    if dataclasses.is_dataclass(hint):
        return from_dict(typing.cast(type, hint), value, where)
    if origin is typing.Literal:
        if value not in typing.get_args(hint):
            known = ", ".join(map(str, typing.get_args(hint)))
            raise UserError(f"{where}: {_written(value)} is not one of {known}")
        return value
    if origin is tuple and isinstance(value, list | tuple):
        item = typing.get_args(hint)[0]
        return tuple(_convert(item, v, f"{where}[{i}]") for i, v in enumerate(value))
    if origin is dict and isinstance(value, dict):
        key, item = typing.get_args(hint)
        return {_key(key, k, where): _convert(item, v, f"{where}: {k}") for k, v in value.items()}
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    if hint is float and isinstance(value, str) and _EXPONENT.fullmatch(value):
        return float(value)  # YAML 1.1 takes 1e-3 for a string, as it has no point
    boolean_for_integer = hint is int and isinstance(value, bool)
    if isinstance(hint, type) and isinstance(value, hint) and not boolean_for_integer:
        return value
    raise UserError(f"{where}: expected {_KINDS[origin or hint]}, found {_written(value)}")


def _key(kind: type, key: Any, where: str) -> Any:
    """A key of a dictionary in its own type: JSON knows strings only."""
    try:
        return kind(str(key))
    except ValueError:
        raise UserError(f"{where}: key '{key}': expected {_KINDS[kind]}") from None


def _written(value: Any) -> str:
    """A value as the file has it: `null`, not `None`."""
    if isinstance(value, str):
        return f"'{value}'"
    return json.dumps(value, default=str, skipkeys=True, ensure_ascii=False)
