"""The page of all configuration keys, from the classes that read them."""

import dataclasses
import re
import types
import typing
from collections.abc import Iterator
from typing import Any

import yaml
from mkdocs.structure.files import File, Files

PAGE = "reference/configuration.md"
INTRODUCTION = """# Configuration

A configuration is a YAML file. Every key is checked when the file is read: a key that is unknown,
missing or of the wrong type is named, together with the file. `--set KEY=VALUE` replaces a value
from the command line, with a dot before a nested key: `--set steps=2000
optimizer.schedule.peak=0.0005`.

Complete files: [`configs/`](../results.md#configurations). `asr-qat train` and `asr-qat quantize`
read the [training configuration](#training), `asr-qat study` the [study configuration](#study).
"""
HEADINGS = {
    "TrainConfig": "Training",
    "StudyConfig": "Study",
}


def on_files(files: Files, config) -> Files:
    """Add the page."""
    from asr_qat.training.config import TrainConfig
    from experiments.study.config import StudyConfig

    done: dict[str, None] = {}
    sections = [INTRODUCTION]
    for kind in (TrainConfig, StudyConfig):
        sections += _sections(kind, done)
    files.append(File.generated(config, PAGE, content="\n".join(sections)))
    return files


def _sections(kind: type, done: dict[str, None], path: str = "") -> Iterator[str]:
    """The section of a class, then those of the classes that its keys hold."""
    if kind.__name__ in done:
        return
    done[kind.__name__] = None
    nested = []
    summary, meanings = _docstring(kind)
    title = HEADINGS.get(kind.__name__) or f"`{path}`"
    lines = [f"{'##' if not path else '###'} {title}\n", f"{summary}\n"]
    lines += ["| key | type | default | meaning |", "|---|---|---|---|"]
    hints = typing.get_type_hints(kind)
    for field in dataclasses.fields(kind):
        inner = _dataclass(hints[field.name])
        own = f"{path}.{field.name}".lstrip(".")
        if inner:
            words = f"[keys](#{_anchor(own)})"
            nested.append((inner, own))
        else:
            words = _type(hints[field.name])
        meaning = meanings[field.name].replace("|", r"\|")
        lines.append(f"| `{field.name}` | {words} | {_default(field)} | {meaning} |")
    yield "\n".join(lines) + "\n"
    for inner, own in nested:
        yield from _sections(inner, done, own)


def _docstring(kind: type) -> tuple[str, dict[str, str]]:
    """What is said of a class, and of each of its attributes in one line."""
    text = kind.__doc__ or ""
    summary, _, attributes = text.partition("Attributes:\n")
    entries = re.findall(r"^ {8}(\w+): ((?:.*\n?)(?:^ {12}.*\n?)*)", attributes, re.M)
    return (
        "\n".join(line.strip() for line in summary.strip().splitlines()),
        {name: " ".join(words.split()) for name, words in entries},
    )


def _dataclass(hint: Any) -> type | None:
    """The class of nested keys in a type, `X`, `X | None` or `dict[str, X]`."""
    for part in (hint, *typing.get_args(hint)):
        if dataclasses.is_dataclass(part):
            return typing.cast(type, part)
    return None


def _type(hint: Any) -> str:
    names = {str: "text", int: "integer", float: "number", bool: "boolean", dict: "mapping"}
    arguments = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin is typing.Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (typing.Union, types.UnionType):
        return " or ".join("null" if a is type(None) else _type(a) for a in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}"
    if origin is dict:
        return f"mapping of {_type(arguments[0])} to {_type(arguments[1])}"
    return names[hint]


def _default(field: dataclasses.Field) -> str:
    if field.default is not dataclasses.MISSING:
        value = field.default
    elif field.default_factory is not dataclasses.MISSING:
        value = field.default_factory()
    else:
        return "required"
    if dataclasses.is_dataclass(value):
        return "see there"
    if isinstance(value, tuple):
        value = list(value)
    words = yaml.safe_dump(value, default_flow_style=True, width=1000)
    return f"`{words.removesuffix('...' + chr(10)).strip()}`"


def _anchor(path: str) -> str:
    return re.sub(r"[^\w-]", "", path.lower())
