"""Models whose metadata say something else, with a checksum that is right.

A description that is refused is right, and so is one that is accepted if what comes out is what it
asks for: a mean that is another number gives other features, and which is known here. The rest is
a silent difference: a value out of bounds, of another type, left out, or one that is read as
another.
"""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from asr_qat.audio.front_end import FrontEndConfig
from experiments.fuzz import models, mutations
from experiments.fuzz.models import Model
from experiments.fuzz.mutations import Chance
from experiments.fuzz.verdict import Verdict
from tflite_export.convert.serialize import serialize
from tflite_export.runtime.checksum import DIGEST, checksum
from tflite_export.runtime.metadata import DESCRIPTION, Metadata
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.inspect import inspect

ROOM = 1 << 16  # bytes of the description, filled with spaces
INSPECTED = 0.1  # share of cases
# Whole numbers that nothing else in the file could contradict.
TOLD = ("left_context", "first_delay", "second_delay", "chunks")
SHOWN = ("version", "precision", "method", "layers", "min_runtime_version", "normalizer", "source")
HOSTILE: list[Any] = [
    math.nan, math.inf, -math.inf, 0, -1, 1, 2, 1e-9, 1e9, 1e308, -1e308, 2**31, 2**63, -(2**63),
    10**400, 0.5, 16.0, True, False, None, "", "1", "float", "w4a8", "x" * 5000, "\x00", "\ud800",
    [], {}, [[]], [1], [math.nan], {"a": 1}, [1] * 3000,
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Roomy:
    """A model whose description may become longer.

    Attributes:
        model: as it is.
        content: of its file with room for the description.
        at: where that begins.
        description: as it is.
    """

    model: Model
    content: bytes
    at: int
    description: bytes


State = dict[str, _Roomy]


def prepare(folder: Path) -> State:
    """A valid file of each kind."""
    return {kind: _roomy(model) for kind, model in models.make(folder).items()}


def attempt(state: State, chance: Chance, folder: Path) -> Verdict:
    """A changed description in a file that is loaded or inspected."""
    roomy = state[chance.choice(models.KINDS)]
    description = _changed(roomy.description, chance)[:ROOM]
    path = folder / "model.tflite"
    path.write_bytes(_with(roomy, description))
    if chance.random() < INSPECTED:
        inspect(path)
    recogniser = TFLiteRecogniser(path)
    found = models.answer(recogniser)
    if found == roomy.model.answer:
        return Verdict.SAME
    told = _told(description, recogniser)
    meant = _is_meant(description, roomy.description) and found == models.meant(roomy.model, told)
    return Verdict.SAME if meant else Verdict.DIFFERENT


def _roomy(model: Model) -> _Roomy:
    content = schema.ModelT.InitFromPackedBuf(model.content, 0)
    (entry,) = (e for e in content.metadata if e.name == DESCRIPTION.encode())
    buffer = content.buffers[entry.buffer]
    description = bytes(buffer.data)
    buffer.data = np.frombuffer(description.ljust(ROOM), np.uint8)
    made = serialize(content)
    return _Roomy(model, made, made.index(description), description)


def _with(roomy: _Roomy, description: bytes) -> bytes:
    """The file with another description and the checksum of that."""
    content = bytearray(roomy.content)
    content[roomy.at : roomy.at + ROOM] = description.ljust(ROOM)
    content[DIGEST] = checksum(bytes(content))
    return bytes(content)


def _changed(description: bytes, chance: Chance) -> bytes:
    kind = chance.integers(10)
    if kind < 3:
        change = (mutations.flip, mutations.overwrite, mutations.cut)[kind]
        return change(description, chance)
    if kind == 3:
        deep = int(chance.integers(10, 20_000))
        return b"[" * deep if chance.random() < 0.5 else b'{"a":' * deep
    content = json.loads(description)
    for _ in range(chance.integers(1, 3)):
        _change(content, chance)
    return json.dumps(content).encode(errors="replace")


def _change(content: dict[str, Any], chance: Chance) -> None:
    """One field: other, gone, under another name, twice, longer or shorter."""
    parent, key = _place(content, chance)
    value = parent[key]
    kind = chance.integers(8)
    if kind < 4:
        parent[key] = HOSTILE[chance.integers(len(HOSTILE))]
    elif kind == 4:
        del parent[key]
    elif kind == 5 and isinstance(parent, dict):
        parent[str(HOSTILE[chance.integers(len(HOSTILE))])] = parent.pop(key)
    elif isinstance(value, list):
        parent[key] = value[: chance.integers(len(value))] if kind == 6 else value + value[:1]
    elif type(value) in (int, float) and abs(value) < 1e300:
        factor = 10.0 ** int(chance.integers(-6, 7))
        parent[key] = value * factor if kind == 6 else type(value)(value + chance.integers(-3, 4))
    else:
        parent[key] = [value]


def _place(content: Any, chance: Chance) -> tuple[Any, Any]:
    """A container and a key of it, anywhere."""
    while True:
        keys = list(content) if isinstance(content, dict) else range(len(content))
        key = keys[chance.integers(len(keys))]
        inside = content[key]
        if not isinstance(inside, dict | list) or not inside or chance.random() < 0.2:
            return content, key
        content = inside


def _is_meant(description: bytes, before: bytes) -> bool:
    """Whether all that changed is told of no other part of the file, and is possible.

    That are numbers of the front end and the statistics, those of `TOLD`, and what is only shown.
    """
    new, old = json.loads(description), json.loads(before)
    for content in (new, old):
        for name in SHOWN:
            content.pop(name, None)
    statistics = [(new.pop(name), old.pop(name)) for name in ("mean", "std")]
    numbers = [n for given, _ in statistics for n in given]
    del new["front_end"], old["front_end"]
    told = [live.pop(n, 0) for live in (new.get("live", {}), old.get("live", {})) for n in TOLD]
    whole = [n for value in told for n in (value if isinstance(value, list) else [value])]
    return (
        new == old
        and all(len(given) == len(there) for given, there in statistics)
        and all(type(n) in (int, float) and abs(n) < 1e6 for n in numbers)
        and all(n > 0 for n in statistics[1][0])
        and all(type(n) is int and n >= 0 for n in whole)
    )


def _told(description: bytes, recogniser: TFLiteRecogniser) -> Metadata:
    """The metadata with front end and statistics as they are written."""
    told = json.loads(description)
    return dataclasses.replace(
        recogniser.metadata,
        front_end=FrontEndConfig(**told["front_end"]),
        mean=np.array(told["mean"], np.float32),
        std=np.array(told["std"], np.float32),
    )
