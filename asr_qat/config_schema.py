"""JSON schema of a configuration file, from its dataclasses.

Types and defaults are those that `asr_qat.config` reads; the descriptions are what the section
`Attributes` of a class's docstring says.
"""

import dataclasses
import inspect
import re
from typing import Any

from pydantic.json_schema import GenerateJsonSchema

from asr_qat.config import adapter

_ATTRIBUTE = re.compile(r"^    (\w+): (.*(?:\n     .*)*)", re.MULTILINE)


def json_schema(kind: type) -> dict[str, Any]:
    """JSON schema of the files that `load_yaml` reads as `kind`, for editors."""
    whole = adapter(kind).json_schema(schema_generator=_Schema)
    return {
        "$schema": _Schema.schema_dialect,
        **whole["additionalProperties"],
        "$defs": whole["$defs"],
    }


class _Schema(GenerateJsonSchema):
    """That of pydantic, with descriptions and with the defaults that a factory makes."""

    def dataclass_schema(self, schema: Any) -> dict[str, Any]:
        found = super().dataclass_schema(schema)
        found["description"], meanings = _documentation(schema["cls"])
        found["additionalProperties"] = False  # no other keys, as `asr_qat.config` has it
        for field in dataclasses.fields(schema["cls"]):
            own = found["properties"][field.name]
            own["description"] = meanings.get(field.name, "")
            if field.default_factory is not dataclasses.MISSING:
                own["default"] = field.default_factory()
        return found

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False  # it would repeat the name


def _documentation(kind: type) -> tuple[str, dict[str, str]]:
    """What the docstring of a dataclass says: on the whole, and on each of its attributes."""
    summary, _, attributes = (inspect.getdoc(kind) or "").partition("\n\nAttributes:\n")
    meanings = _ATTRIBUTE.findall(attributes)
    return summary, {name: " ".join(meaning.split()) for name, meaning in meanings}
