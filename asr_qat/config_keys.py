"""The keys of a configuration file: names, types, defaults and meaning, from its dataclasses.

Types and defaults are those that `asr_qat.config` reads; the meaning is what the section
`Attributes` of a class's docstring says.
"""

import dataclasses
import inspect
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from asr_qat.config import adapter

# Types of JSON in words: one, and several of them.
_WORDS = {
    "string": ("text", "text"),
    "integer": ("a whole number", "whole numbers"),
    "number": ("a number", "numbers"),
    "boolean": ("true or false", "true or false"),
    "object": ("keys and values", "keys and values"),
    "null": ("null", "null"),
}
_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n     .*)*)", re.MULTILINE)


@dataclasses.dataclass(frozen=True)
class Key:
    """One key of a configuration file.

    Attributes:
        name: with the keys above it, `optimizer.schedule.peak`; `<name>` stands for any name.
        type: in words.
        default: as the file would have it; None for a key that is required, and for one whose
            default is that of the keys below it.
        required: it cannot be omitted where the keys beside it are given.
        meaning: in words.
    """

    name: str
    type: str
    default: str | None
    required: bool
    meaning: str

    @property
    def above(self) -> str:
        """The name of the key that this one is below, empty at the top."""
        return self.name.rpartition(".")[0]

    @property
    def type_and_default(self) -> str:
        """Such as `a number, by default 0.5`."""
        if self.required:
            return f"{self.type}, required"
        return self.type if self.default is None else f"{self.type}, by default {self.default}"


def key_table(kind: type) -> list[Key]:
    """All keys of the files that `load_yaml` reads as `kind`, each followed by those below it."""
    schema = json_schema(kind)
    return list(_keys(schema, schema["$defs"], "", {}))


def keys_text(kind: type) -> str:
    """The keys for a terminal."""
    return "\n".join(
        f"{key.name}: {key.type_and_default}\n"
        + textwrap.fill(key.meaning, 88, initial_indent="    ", subsequent_indent="    ")
        for key in key_table(kind)
    )


def keys_markdown(kind: type, level: int = 2) -> str:
    """The keys in Markdown: a table of those at the top, and one below each key that has some.

    Args:
        kind: what the file is read as.
        level: of the headings.
    """
    keys = key_table(kind)
    parts = ["\n".join(_table(keys, ""))]
    for parent in keys:
        for above in (parent.name, f"{parent.name}.<name>"):
            if table := _table(keys, above):
                said = f"{parent.meaning} ({parent.type_and_default})"
                parts.append("\n".join([f"{'#' * level} `{above}`", "", said, "", *table]))
    return "\n\n".join(parts) + "\n"


def _table(keys: list[Key], above: str) -> list[str]:
    rows = [_row(key) for key in keys if key.above == above]
    return ["| key | type | default | meaning |", "|---|---|---|---|", *rows] if rows else []


def _row(key: Key) -> str:
    name, meaning = key.name.rpartition(".")[2], key.meaning.replace("|", r"\|")
    default = "see below" if key.default is None else f"`{key.default}`"
    return f"| `{name}` | {key.type} | {'required' if key.required else default} | {meaning} |"


def json_schema(kind: type) -> dict[str, Any]:
    """JSON schema of the files that `load_yaml` reads as `kind`, for editors."""
    whole = adapter(kind).json_schema(schema_generator=_Schema)
    return {
        "$schema": _Schema.schema_dialect,
        **whole["additionalProperties"],
        "$defs": whole["$defs"],
    }


class _Schema(GenerateJsonSchema):
    """With the meaning of every key, and the defaults that a factory makes."""

    def dataclass_schema(self, schema: Any) -> dict[str, Any]:
        found = super().dataclass_schema(schema)
        found["description"], meanings = documentation(schema["cls"])
        found["additionalProperties"] = False  # no other keys, as `asr_qat.config` has it
        for field in dataclasses.fields(schema["cls"]):
            own = found["properties"][field.name]
            own["description"] = meanings.get(field.name, "")
            if field.default_factory is not dataclasses.MISSING:
                own["default"] = field.default_factory()
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False  # it would repeat the name


def documentation(kind: type) -> tuple[str, dict[str, str]]:
    """What the docstring of a dataclass says: on the whole, and on each of its attributes."""
    summary, _, attributes = (inspect.getdoc(kind) or "").partition("\n\nAttributes:\n")
    meanings = _ATTRIBUTE.findall(attributes)
    return summary, {name: " ".join(meaning.split()) for name, meaning in meanings}


def _keys(
    schema: dict[str, Any], parts: dict[str, Any], path: str, given: dict[str, Any]
) -> Iterator[Key]:
    """The keys of an object, whose defaults are `given` or else its own."""
    own = parts[schema["$ref"].rpartition("/")[2]]
    for name, value in own["properties"].items():
        default = given.get(name, value.get("default"))
        below = _below(value)
        explained = below is not None and bool(default)
        required = name in own.get("required", ()) and name not in given
        yield Key(
            name=f"{path}{name}",
            type=_in_words(value),
            default=None if required or explained else _written(default),
            required=required,
            meaning=value["description"],
        )
        if below is not None:
            nested, between = below
            defaults = default if explained else {}
            yield from _keys(nested, parts, f"{path}{name}.{between}", defaults)


def _below(schema: dict[str, Any]) -> tuple[dict[str, Any], str] | None:
    """The object whose keys are below a key, and what the names have in between."""
    if "$ref" in schema:
        return schema, ""
    for option in schema.get("anyOf", ()):
        if found := _below(option):
            return found
    items = schema.get("additionalProperties")
    return (items, "<name>.") if isinstance(items, dict) and "$ref" in items else None


def _in_words(schema: dict[str, Any], several: bool = False) -> str:
    """A type, such as `a list of numbers`, or the types and values to choose from."""
    *others, last = _options(schema, several)
    return f"{', '.join(others)} or {last}" if others else last


def _options(schema: dict[str, Any], several: bool) -> Iterator[str]:
    if "anyOf" in schema:
        for option in schema["anyOf"]:
            yield from _options(option, several)
    elif "enum" in schema:
        yield from schema["enum"]
    elif schema.get("type") == "array":
        yield f"a list of {_in_words(schema['items'], several=True)}"
    else:
        yield _WORDS[schema.get("type", "object")][several]


def _written(default: Any) -> str:
    return default if isinstance(default, str) else json.dumps(default)
