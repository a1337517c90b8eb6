"""Changes of bytes by chance."""

from collections.abc import Callable

import numpy as np

Chance = np.random.Generator
Mutation = Callable[[bytes, Chance], bytes]


def flip(content: bytes, chance: Chance, places: np.ndarray | None = None) -> bytes:
    """One to four bits, at one of the `places` each, or anywhere."""
    changed = bytearray(content)
    for _ in range(chance.integers(1, 5) if content else 0):
        at = chance.integers(len(content)) if places is None else chance.choice(places)
        changed[at] ^= 1 << int(chance.integers(8))
    return bytes(changed)


def overwrite(content: bytes, chance: Chance, places: np.ndarray | None = None) -> bytes:
    """A field of 1 to 8 bytes: all zeros, all ones, the largest number, or anything."""
    width = int(chance.choice([1, 2, 4, 8]))
    at = int(chance.integers(len(content)) if places is None else chance.choice(places))
    fields = [bytes(width), b"\xff" * width, b"\x7f" + b"\xff" * (width - 1), chance.bytes(width)]
    field = fields[chance.integers(len(fields))]
    field = field[:: int(chance.choice([1, -1]))]
    allowed = range(at, at + width) if places is None else set(places.tolist())
    changed = bytearray(content)
    for index, byte in enumerate(field, at):
        if index in allowed and index < len(changed):
            changed[index] = byte
    return bytes(changed)


def cut(content: bytes, chance: Chance) -> bytes:
    """The beginning alone."""
    return content[: chance.integers(len(content))] if content else content


def remove(content: bytes, chance: Chance) -> bytes:
    """Some bytes go."""
    at, size = _range(content, chance)
    return content[:at] + content[at + size :]


def insert(content: bytes, chance: Chance) -> bytes:
    """Some bytes come: zeros, anything, or a part of the same file."""
    at, size = _range(content, chance)
    other, _ = _range(content, chance)
    parts = [bytes(size), chance.bytes(size), content[other : other + size]]
    return content[:at] + parts[chance.integers(len(parts))] + content[at:]


def repeat(content: bytes, chance: Chance) -> bytes:
    """A part is there twice."""
    at, size = _range(content, chance)
    return content[: at + size] + content[at:]


def _range(content: bytes, chance: Chance) -> tuple[int, int]:
    """Where it begins and how long it is: a few bytes or many."""
    at = int(chance.integers(len(content) + 1))
    return at, int(2 ** chance.uniform(0, np.log2(max(2, len(content)))))
