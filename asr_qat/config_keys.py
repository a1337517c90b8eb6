"""The keys of a configuration file as a table: names, types, defaults and meaning."""

import dataclasses
import json
import re
import textwrap
from collections.abc import Iterator
from typing import Any

from asr_qat.config_schema import json_schema

# Types of JSON in words: one, and several of them.
_WORDS = {
    "string": ("text", "text"),
    "integer": ("a whole number", "whole numbers"),
    "number": ("a number", "numbers"),
    "boolean": ("true or false", "true or false"),
    "object": ("keys and values", "keys and values"),
    "null": ("null", "null"),
}


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
        part: what the keys below it are together; empty where there are none.
    """

    name: str
    type: str
    default: str | None
    required: bool
    meaning: str
    part: str = ""

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
    """The keys in Markdown: a table of those at the top, and one for each key that has others.

    Args:
        kind: what the file is read as.
        level: of the headings.
    """
    keys = key_table(kind)
    sections = [_table(keys, "")]
    for key in keys:
        if key.part:
            title = f"{'#' * level} `{key.name}`"
            sections += [title, key.part, _table(keys, key.name)]
    return "\n\n".join(sections) + "\n"


def _table(keys: list[Key], above: str) -> str:
    """The keys right below one, or below any name in it."""
    rows = [_row(key) for key in keys if key.above in (above, f"{above}.<name>")]
    return "\n".join(["| key | type | default | meaning |", "|---|---|---|---|", *rows])


def _row(key: Key) -> str:
    name, default = f"`{key.name.rpartition('.')[2]}`", f"`{key.default}`"
    meaning = key.meaning.replace("|", r"\|")
    if key.part:  # the anchor of its heading, in MkDocs and on GitHub
        name = f"[{name}](#{re.sub('[^a-z0-9_]', '', key.name)})"
    if key.required:
        default = "required"
    elif key.default is None:
        default = "that of its keys"
    return f"| {name} | {key.type} | {default} | {meaning} |"


def _keys(
    schema: dict[str, Any], parts: dict[str, Any], path: str, given: dict[str, Any]
) -> Iterator[Key]:
    """The keys of an object, whose defaults are `given` or else its own."""
    own = parts[_part_name(schema)]
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
            part=parts[_part_name(below[0])]["description"] if below else "",
        )
        if below is not None:
            nested, between = below
            defaults = default if explained else {}
            yield from _keys(nested, parts, f"{path}{name}.{between}", defaults)


def _part_name(schema: dict[str, Any]) -> str:
    return schema["$ref"].rpartition("/")[2]


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
        yield from map(str, schema["enum"])
    elif schema.get("type") == "array":
        of = schema.get("items") or schema["prefixItems"][0]  # of as many: all of one type
        number = f"{schema['maxItems']} " if "prefixItems" in schema else ""
        yield f"a list of {number}{_in_words(of, several=True)}"
    else:
        yield _WORDS[schema.get("type", "object")][several]


def _written(default: Any) -> str:
    return default if isinstance(default, str) else json.dumps(default)
