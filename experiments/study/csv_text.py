"""All figures of a study as comma-separated values."""

import csv
import io
from typing import Any

from experiments.study.saved_study import Row


def csv_text(rows: list[Row]) -> str:
    """All figures of rows or pooled rows, one line each; dictionaries and lists are spread.

    `wer_ci` becomes `wer_ci.0` and `wer_ci.1`, `latency_ms` becomes `latency_ms.p50` and so on.
    """
    flat = [dict(_flat(row)) for row in rows]
    names = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return text.getvalue()


def _flat(value: Any, name: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, list | tuple):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return [(name, value)]
    return [
        pair
        for key, each in value.items()
        for pair in _flat(each, f"{name}.{key}" if name else str(key))
    ]
