"""Configuration files of trainings and studies: their text and their values changed."""

import dataclasses
from pathlib import Path
from typing import Any

import yaml

from asr_qat.config import load_yaml
from asr_qat.errors import UserError
from asr_qat.training.config import TrainConfig
from experiments.fuzz import mutations, structures
from experiments.fuzz.mutations import Chance
from experiments.fuzz.verdict import Verdict
from experiments.study.config import StudyConfig
from experiments.study.planned_cells import expand

CONFIGS = Path(__file__).parents[3] / "configs"
_TOKENS = (
    *("-1", "99999999999999999999", "1e999", ".nan", "null", "[]", "{}", "'x'", "*x", "&x", "yes"),
    *("0x7f", "1:1:1", "2020-01-01", "<<", "!!set", "!!binary", "? ", "- ", "|", ">-", "%", "---"),
)
# That expand without end, or nest without.
_BOMBS = (
    "a: &a [*a]",
    "? &a [*a]\n: 1",
    "\n".join(f"x{n}: &x{n} [{', '.join([f'*x{n - 1}' if n else '1'] * 9)}]" for n in range(12)),
    "a: " + "[" * 5000,
    "a: " + "{a: " * 5000,
    "\n".join(f"{' ' * n}a:" for n in range(800)),
)


@dataclasses.dataclass(frozen=True)
class Valid:
    """A file of the repository.

    Attributes:
        kind: what it is read as.
        text: its content.
    """

    kind: type
    text: str


def prepare(folder: Path) -> list[Valid]:
    """The configurations of the repository, each read once."""
    del folder
    found = []
    for path in sorted(CONFIGS.glob("*.yaml")):
        kind = StudyConfig if path.stem.startswith("study") else TrainConfig
        load_yaml(path, kind)
        found.append(Valid(kind, path.read_text(encoding="utf-8")))
    return found


def attempt(state: list[Valid], chance: Chance, folder: Path) -> Verdict:
    """One of them with another text or other values."""
    valid = state[chance.integers(len(state))]
    content = _changed(valid.text, chance)
    path = folder / "changed.yaml"
    path.write_bytes(content)
    try:
        config: Any = load_yaml(path, valid.kind)
    except UserError as error:
        named = str(error).startswith(str(path)) and "\n" not in str(error)
        assert named, f"not a line that names the file: {error}"
        return Verdict.REFUSED
    if isinstance(config, StudyConfig):
        expand(config)
    else:
        for shape in (config.encoder_config, config.transducer_config, config.streaming_config):
            shape()  # one that cannot be built is refused
    plain = yaml.load(content.decode("utf-8-sig"), yaml.BaseLoader)  # noqa: S506  # all is text
    kept = _kept(plain, dataclasses.asdict(config))
    return Verdict.SAME if kept and _once_each(content) else Verdict.DIFFERENT


def _changed(text: str, chance: Chance) -> bytes:
    kind = chance.random()
    if kind < 0.35:
        values = structures.change(yaml.safe_load(text), chance)
        return yaml.safe_dump(values, sort_keys=False, allow_unicode=True).encode()
    if kind < 0.7:
        return _other_lines(text, chance).encode()
    if kind < 0.8:
        change = (mutations.flip, mutations.overwrite, mutations.cut)[chance.integers(3)]
        return change(text.encode(), chance)
    if kind < 0.85:
        return yaml.safe_dump(structures.anything(chance), allow_unicode=True).encode()
    if kind < 0.9:
        return f"{text}\n{_BOMBS[chance.integers(len(_BOMBS))]}\n".encode()
    if kind < 0.95:
        return text.encode(("utf-16", "utf-32", "utf-8-sig", "cp037")[chance.integers(4)])
    return chance.bytes(int(chance.integers(2000)))


def _other_lines(text: str, chance: Chance) -> str:
    """A line repeated, lost, moved, indented or with another value."""
    lines = text.removesuffix("\n").split("\n")
    at, to = (int(chance.integers(len(lines))) for _ in range(2))
    key, colon, value = lines[at].partition(":")
    token = _TOKENS[chance.integers(len(_TOKENS))]
    kind = chance.integers(7)
    if kind == 0:
        lines.insert(to, lines[at])
    elif kind == 1:
        del lines[at]
    elif kind == 2:
        lines.insert(to, lines.pop(at))
    elif kind == 3:
        lines[at] = "  " + lines[at] if chance.random() < 0.5 else lines[at].lstrip()
    elif kind == 4:
        lines[at] = f"{key}{colon} {token}"
    elif kind == 5:
        lines[at] = f"{key}{colon} {token}{value}"
    else:
        lines[at] = f"{key}{token}{colon}{value}"
    return "\n".join(lines) + "\n"


def _kept(values: Any, config: Any) -> bool:
    """Whether a configuration has every key of the file."""
    if not (isinstance(values, dict) and isinstance(config, dict)):
        return True
    if "overrides_from" in values:  # which become overrides
        return True
    names = {str(name) for name in config}
    return all(str(key) in names and _kept(value, config.get(key)) for key, value in values.items())


def _once_each(content: bytes) -> bool:
    """Whether no key is given twice."""
    waiting = [yaml.compose(content.decode("utf-8-sig"), yaml.SafeLoader)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, yaml.MappingNode):
            keys = [key.value for key, _ in node.value]
            if len(keys) > len(set(keys)):
                return False
            waiting += [value for _, value in node.value]
        elif isinstance(node, yaml.SequenceNode):
            waiting += node.value
    return True
