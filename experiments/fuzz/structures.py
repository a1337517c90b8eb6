"""Changes of the values in JSON and YAML by chance."""

import copy
from typing import Any

from experiments.fuzz.mutations import Chance

_DEEP: list[Any] = []
for _ in range(300):
    _DEEP = [_DEEP]

# Of other types, out of range, empty, long or deep.
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 100, 1000, 10**6, 2**31, 2**32, 2**63, 10**400),
    *(0.5, -0.5, 1e-300, 1e-9, 1e9, 1e308, float("nan"), float("inf"), float("-inf")),
    *("", "x", "80", "float", "w4a8", "lstm", "\x00", "é\u2028", "A" * 5000, "/dev/zero", "(a+)+$"),
    *([], [0], ["x"], [1, 2, 3], [None], [[]], list(range(2000)), _DEEP),
    *({}, {"x": 1}, {"": None}, {"0": 8}, {"dim": 4, "blocks": 1}),
)


def change(content: Any, chance: Chance) -> Any:
    """A copy of a structure with one to three changes."""
    changed = copy.deepcopy(content)
    for _ in range(chance.integers(1, 4)):
        changed = _once(changed, chance)
    return changed


def anything(chance: Chance, depth: int = 0) -> Any:
    """A structure that is like no file."""
    kind = chance.random()
    if depth > 3 or kind < 0.5:
        return ODD[chance.integers(len(ODD))]
    if kind < 0.75:
        return [anything(chance, depth + 1) for _ in range(chance.integers(5))]
    return {f"key{i}": anything(chance, depth + 1) for i in range(chance.integers(5))}


def _once(content: Any, chance: Chance) -> Any:
    """One part of a structure replaced, removed, renamed, added or given twice."""
    if not isinstance(content, dict | list) or not content or chance.random() < 0.05:
        return _other(content, chance)
    keys = list(content) if isinstance(content, dict) else list(range(len(content)))
    key = keys[chance.integers(len(keys))]
    if isinstance(content[key], dict | list) and chance.random() < 0.8:
        content[key] = _once(content[key], chance)
        return content
    kind = chance.random()
    if kind < 0.75:
        content[key] = _other(content[key], chance)
    elif kind < 0.85:
        del content[key]
    elif isinstance(content, list):
        content.insert(key, content[key])
    elif kind < 0.93:
        content[f"{key}_"] = content.pop(key)
    else:
        content[f"x{chance.integers(100)}"] = anything(chance, 2)
    return content


def _other(value: Any, chance: Chance) -> Any:
    """Another value, some of them near to this one."""
    number = isinstance(value, int | float) and type(value) is not bool and abs(value) < 1e300
    if number and chance.random() < 0.4:
        near = (value + 1, value - 1, -value, 2 * value, value * 10**6, value * 1.01, str(value))
        return near[chance.integers(len(near))]
    return copy.deepcopy(ODD[chance.integers(len(ODD))])
