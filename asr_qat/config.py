"""Configuration: frozen dataclasses read from YAML, every key checked.

pydantic checks names and types, strictly, and the dataclasses' own `__post_init__` the values.
`asr_qat.config_keys` lists the keys. pydantic is imported late: `--help` and the device side do
without it.
"""

import dataclasses
import difflib
import functools
import json
import types
import typing
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from asr_qat import files
from asr_qat.errors import UserError
from asr_qat.plain_yaml import MOST_CHARACTERS, parse

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

Config = TypeVar("Config")
MOST_INTEGER = 1 << 63
LONGEST_SHOWN = 200  # characters of a wrong value in an error
# What pydantic's types of errors expected, in words.
_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "dict_type": "keys and values",
    "dataclass_type": "keys and values",
}
# An error for each of several types ends its place with the type: these, and their errors.
_MEMBERS = {"str": "string_type", "int": "int_type", "float": "float_type", "bool": "bool_type"}


def load_yaml(path: str | Path, kind: type[Config], settings: Sequence[str] = ()) -> Config:
    """Read the dataclass `kind` from a YAML file.

    Args:
        path: of the file.
        kind: of the dataclass.
        settings: `KEY=VALUE` each, instead of the file's: a key below another one after a
            dot, `optimizer.average=0.99`, and a value in YAML.

    Raises:
        UserError: naming the file and the key that is missing, unknown or of a wrong type.
    """
    try:
        content = parse(files.read_text(path, 4 * MOST_CHARACTERS))  # bytes of a character: 1 to 4
    except FileNotFoundError:
        raise UserError(f"{path}: no such configuration file") from None
    except ValueError as error:
        raise UserError(f"{path}: not valid YAML: {error}") from None
    content = content or {}
    for setting in settings if isinstance(content, dict) else ():  # else the file is refused below
        _set(content, setting)
    changed = settings and isinstance(content, dict)
    where = f"{path}, --set {' '.join(settings)}" if changed else str(path)
    return from_dict(kind, content, where)


def load_json(path: str | Path, kind: type[Config]) -> Config:
    """Read the dataclass `kind` from a JSON file. Raises `UserError` that names file and key."""
    return from_dict(kind, files.read_json(path), str(path))


def _set(content: dict[str, Any], setting: str) -> None:
    """Put the value of `KEY=VALUE` into nested dictionaries."""
    path, equals, text = setting.partition("=")
    try:
        value = parse(text)
    except ValueError:
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
    """Build the dataclass `kind` from nested dictionaries; `where` begins the error messages.

    Raises:
        UserError: naming the key that is missing, unknown, of a wrong type or out of range.
    """
    from pydantic import ValidationError

    try:
        # As JSON: strict types there take a list for a tuple, and keys that are numbers in text.
        text = json.dumps({"": values}, ensure_ascii=False).encode()
    except RecursionError:
        raise UserError(f"{where}: nested too deeply") from None
    except (TypeError, ValueError) as error:  # a date as a key, say, or a circle of references
        raise UserError(f"{where}: not plain keys and values: {error}") from None
    _refuse_huge(values, where)
    try:
        return adapter(kind).validate_json(text)[""]  # type: ignore[arg-type]  # a class is hashable
    except (ValidationError, UserError) as error:
        # pydantic tells no place of what a `__post_init__` raises: look at the parts first.
        hints = typing.get_type_hints(kind)
        for key, value in values.items() if isinstance(values, dict) else ():
            for place, part, below in _parts(hints.get(key), value, f"{where}: {key}"):
                from_dict(part, below, place)
        if isinstance(error, ValidationError):
            raise UserError(_message(kind, error, where)) from None
        raise UserError(f"{where}: {error}") from None


def _refuse_huge(values: Any, where: str) -> None:
    """Raise `UserError` for a whole number that takes more than 64 bits."""
    if isinstance(values, int):
        if abs(values) >= MOST_INTEGER:
            raise UserError(f"{where}: a whole number of more than 64 bits")
    elif isinstance(values, dict):
        for key, value in values.items():
            _refuse_huge(key, where)
            _refuse_huge(value, f"{where}: {key}")
    elif isinstance(values, list | tuple):
        for index, value in enumerate(values):
            _refuse_huge(value, f"{where}[{index}]")


@functools.cache
def adapter(kind: Any) -> "TypeAdapter[Any]":
    """What reads `{"": values}` of the dataclass `kind`.

    The dictionary around it passes pydantic's settings on to dataclasses, which have none.
    """
    from pydantic import ConfigDict, TypeAdapter

    return TypeAdapter(dict[str, kind], config=ConfigDict(strict=True, extra="forbid"))


def _parts(hint: Any, value: Any, where: str) -> Iterator[tuple[str, type, Any]]:
    """Place, dataclass and values of each dataclass in a value of the type `hint`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if dataclasses.is_dataclass(hint):
        yield where, typing.cast(type, hint), value
    elif origin in (typing.Union, types.UnionType) and value is not None:
        for argument in arguments:
            yield from _parts(argument, value, where)
    elif origin is tuple and isinstance(value, list | tuple):
        for index, item in enumerate(value):
            yield from _parts(arguments[0], item, f"{where}[{index}]")
    elif origin is dict and isinstance(value, dict):
        for key, item in value.items():
            yield from _parts(arguments[1], item, f"{where}: {key}")


def _message(kind: Any, refusal: "ValidationError", where: str) -> str:
    """One line on the first mistake; on an unknown key rather than one that is missing."""
    errors = refusal.errors(include_url=False)
    unknown = [error for error in errors if error["type"] == "unexpected_keyword_argument"]
    error = (unknown or errors)[0]
    if error["type"] == "json_invalid":  # of what was JSON a moment ago: deeper than it reads
        return f"{where}: nested too deeply ({error['msg']})"
    location, found = error["loc"], _written(error["input"])
    place, above = _place(where, location), _place(where, location[:-1])
    if unknown:
        fields = [field.name for field in dataclasses.fields(kind)]
        near = difflib.get_close_matches(str(location[-1]), fields, n=1)
        hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(fields)}"
        return f"{above}: unknown key '{location[-1]}': {hint}"
    if error["type"] == "missing":
        return f"{above}: key '{location[-1]}' is missing"
    if error["type"] == "literal_error":
        known = error["ctx"]["expected"].replace("'", "").replace(" or ", ", ")
        return f"{place}: {found} is not one of {known}"
    if error["type"] == "int_parsing":  # of a key: other values are never text to be read
        return f"{_place(where, location[:-2])}: key {found}: expected {_EXPECTED['int_type']}"
    if error["type"] not in _EXPECTED:
        return f"{place}: {error['msg']}"
    members = [
        other["type"]
        for other in errors
        if other["loc"][:-1] == location[:-1]
        and other["type"] == _MEMBERS.get(str(other["loc"][-1]))
    ]
    if len(members) > 1:
        return f"{above}: expected {' or '.join(_EXPECTED[m] for m in members)}, found {found}"
    return f"{place}: expected {_EXPECTED[error['type']]}, found {found}"


def _place(where: str, location: Sequence[str | int]) -> str:
    """`train.yaml: batches: speeds[1]`; the location begins with the key of `adapter`."""
    words = [f"[{part}]" if isinstance(part, int) else f": {part}" for part in location[1:]]
    return "".join([where, *words])


def _written(value: Any) -> str:
    """A value as the file has it: `null`, not `None`. Of a long one the beginning."""
    text = f"'{value}'" if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ..."
