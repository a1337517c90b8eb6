"""YAML of plain keys and values, as configuration files hold it."""

import math
import re
from typing import Any

import yaml

MOST_CHARACTERS = 1 << 19  # which the reader takes some seconds for
MOST_VALUES = 100_000  # in a file whose aliases are written out
# YAML 1.2 has neither: `2026-01-31` is text there, and `<<` a key like any other.
_LEFT_OUT = {"tag:yaml.org,2002:timestamp", "tag:yaml.org,2002:merge"}
_PLAIN: set[str | None] = {
    f"tag:yaml.org,2002:{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map")
} | {None}  # what refuses all others


class _Loader(yaml.SafeLoader):
    """Text, numbers, true and false, null, lists, and keys that are given once."""

    yaml_implicit_resolvers = {
        first: [(tag, form) for tag, form in resolvers if tag not in _LEFT_OUT]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    yaml_constructors = {
        tag: construct
        for tag, construct in yaml.SafeLoader.yaml_constructors.items()
        if tag in _PLAIN
    }

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        """Refuse a list as a key, and one that is given twice: the reader keeps the last value."""
        node = super().compose_mapping_node(anchor)
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is no text", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key '{key.value}' is given twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return node


# `1e-3` is a number in YAML 1.2.
_EXPONENT = re.compile(r"[-+]?\d+e[-+]?\d+$", re.IGNORECASE)
_Loader.add_implicit_resolver("tag:yaml.org,2002:float", _EXPONENT, list("-+0123456789"))


def parse(text: str) -> Any:
    """The content of a file.

    Raises:
        ValueError: in one line: no YAML, a key twice or that is no text, a tag such as `!!binary`,
            too deep nesting, too long a text, or aliases that stand for too many values.
    """
    if len(text) > MOST_CHARACTERS:
        raise ValueError(f"more than {MOST_CHARACTERS:,} characters")
    try:
        content = yaml.load(text, _Loader)  # noqa: S506  # a safe one
        count = _values(content, {})
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except LookupError:  # `!!bool 3`
        raise ValueError("a value is not what its tag says") from None
    except OverflowError:  # of a number in base 60, `1:1:1.5` and so on
        raise ValueError("a number is too large") from None
    except (yaml.YAMLError, ValueError) as error:
        said = str(error).replace('in "<unicode string>",', "in")
        raise ValueError(" ".join(said.split())) from None
    if count > MOST_VALUES:
        raise ValueError(f"more than {MOST_VALUES:,} values, with aliases written out")
    return content


def _values(content: Any, known: dict[int, float]) -> float:
    """Values in all, with aliases written out; infinitely many where one holds itself."""
    if not isinstance(content, dict | list):
        return 1
    if id(content) not in known:
        known[id(content)] = math.inf
        parts = content.values() if isinstance(content, dict) else content
        known[id(content)] = 1 + sum(_values(part, known) for part in parts)
    return known[id(content)]
