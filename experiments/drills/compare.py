"""Whether a command has left what its undisturbed run leaves, but for times."""

import json
import re
from pathlib import Path
from typing import Any

import h5py

from asr_qat import files
from experiments.drills.process import scratch

# Values that differ from run to run.
TIMES = ("seconds", "rtf", "latency_ms", "rounds", "spread", "peak_rss_mb", "rtf_spread")
TIMED_ROWS = ("| real-time factor |", "| peak memory |")  # of a model card
# Made of times, or with them in it: the file has to be there.
THERE = re.compile(r"(^|/)(checkpoint|speed\.json|.*\.(csv|html|png|log)|results/.*\.md)$")
LOGS = re.compile(r"(^|/)tensorboard/")  # a further file of each start


def differences(folder: Path, reference: Path) -> list[str]:
    """What differs, by name and in words."""
    found, expected = _names(folder), _names(reference)
    lines = [f"{name} is missing" for name in sorted(expected - found)]
    lines += [
        f"{name} differs" for name in sorted(found & expected) if _differs(name, folder, reference)
    ]
    return lines


def left(folder: Path, reference: Path) -> list[str]:
    """Names of files that the undisturbed run does not leave."""
    extra = sorted(_names(folder) - _names(reference))
    of_scratch = scratch(folder)
    return extra + sorted(str(path.relative_to(of_scratch)) for path in of_scratch.rglob("*"))


def _names(folder: Path) -> set[str]:
    names = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    return {name for name in names if not LOGS.search(name)}


def _differs(name: str, folder: Path, reference: Path) -> bool:
    if THERE.search(name):
        return False
    return bool(_content(folder / name) != _content(reference / name))


def _content(path: Path) -> Any:
    """What has to be equal."""
    if path.suffix == ".h5":
        return _arrays(path)
    if path.suffix == ".json":
        return _without_times(json.loads(path.read_text()))
    if path.name == "history.jsonl":
        return [_without_times(json.loads(line)) for line in files.read_lines(path)]
    if path.suffix == ".md":
        lines = files.read_lines(path)
        return [line for line in lines if not line.startswith(TIMED_ROWS)]
    return path.read_bytes()


def _without_times(content: Any) -> Any:
    if isinstance(content, dict):
        return {key: _without_times(value) for key, value in content.items() if key not in TIMES}
    if isinstance(content, list):
        return [_without_times(value) for value in content]
    return content


def _arrays(path: Path) -> dict[str, tuple[str, bytes]]:
    """Type and values of each array of weights, by name."""
    found = {}

    def add(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            found[name] = (str(item.dtype), item[()].tobytes())

    with h5py.File(path) as file:
        file.visititems(add)
    return found
