"""What a measurement leaves: its rows as JSON, and a table of them."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from asr_qat import files

Results = TypeVar("Results", bound=Any)  # a dataclass


def write_results(found: Results, out: Path, table: Callable[[Results], str]) -> str:
    """Write results to `out`, and their table beside it with the suffix `.md`.

    Returns:
        The table.
    """
    text = table(found)
    files.write_json(out, dataclasses.asdict(found))
    files.write_text(out.with_suffix(".md"), text)
    return text
