"""JSON whose keys are given once, as `asr_qat.plain_yaml` has it."""

import json
from typing import Any


def parse(text: str) -> Any:
    """The content of a file.

    Raises:
        ValueError: in one line: no JSON, a key twice, or too deep nesting.
    """
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A dictionary of the pairs, of which the reader would keep the last one of each key."""
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise ValueError(f"the key '{key[:40]}' is given twice")
        found[key] = value
    return found
