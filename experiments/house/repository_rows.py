"""Rows on the repository: its contracts, its tests, its documentation, its demo."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from asr_qat import files
from experiments.house.environment import ROOT, temporary_folder
from experiments.targets import Row, at_most, equal

MOST_TEST_MINUTES, MOST_DEMO_MINUTES, MOST_DEMO_WER = 12.0, 8.0, 10.0
DEMO = ROOT / "results/demo_synthetic.json"  # what a machine without CMU AN4 shows
SLOWEST = 10
_DURATION = re.compile(r"^(\d+\.\d+)s (tests/.+)$", re.MULTILINE)  # of tests/run.py


def broken_contracts() -> Row:
    """Of the import contracts; circles between folders are one of them."""
    done = _tool(["lint-imports", "--no-cache"])
    found = re.search(r"Contracts: \d+ kept, (\d+) broken", done.stdout)
    return equal("broken import contracts", int(found[1]) if found else None, 0)


def documentation_is_built() -> Row:
    """With `--strict`: a broken link is an error."""
    done = _tool(["mkdocs", "build", "--strict", "--quiet", "-d", _folder("site")])
    return equal("documentation is built without a warning", done.returncode == 0, True)


def test_minutes() -> Row:
    """Of `make test` in a fresh clone, after the installation."""
    clone = _folder("clone")
    subprocess.run(["git", "clone", "--quiet", ROOT, clone], check=True)
    subprocess.run(["make", "venv"], cwd=clone, check=True, capture_output=True)
    started = time.monotonic()
    done = subprocess.run(["make", "test"], cwd=clone, capture_output=True, text=True)
    minutes = (time.monotonic() - started) / 60
    _SLOWEST[:] = durations(done.stdout)[:SLOWEST]
    row = at_most("minutes of make test", minutes, MOST_TEST_MINUTES)
    if done.returncode == 0:
        return row
    print(f"{done.stdout}\n{done.stderr}", file=sys.stderr)
    return Row(f"{row.name} (failed)", minutes, row.target, False)


def durations(said: str) -> list[tuple[str, float]]:
    """Names and seconds of the tests that `make test` calls slowest."""
    return [(name, float(seconds)) for seconds, name in _DURATION.findall(said)]


def slowest_tests() -> list[tuple[str, float]]:
    """Names and seconds of those of `test_minutes`, once it has run."""
    return list(_SLOWEST)


def demo_minutes() -> Row:
    """Of the demo where CMU AN4 is out of reach, by its own clock."""
    seconds = files.read_json(DEMO)["seconds"]
    return at_most(
        "minutes of make demo without AN4", sum(seconds.values()) / 60, MOST_DEMO_MINUTES
    )


def demo_wer() -> Row:
    """Of its float model on the test set."""
    (first, *_) = files.read_json(DEMO)["rows"]
    return at_most("WER % of the demo's float model", 100 * first["wer"], MOST_DEMO_WER)


def demo_leaves_the_tree_clean() -> Row:
    """Files that git would show after a demo: it writes to `work/`, which git ignores."""
    done = subprocess.run(
        ["git", "check-ignore", "--quiet", "work/demo/results/demo.json"], cwd=ROOT
    )
    return equal("the demo leaves the git tree clean", done.returncode == 0, True)


ROWS: list[Callable[[], Row]] = [
    broken_contracts,
    documentation_is_built,
    demo_minutes,
    demo_wer,
    demo_leaves_the_tree_clean,
    test_minutes,
]

_SLOWEST: list[tuple[str, float]] = []


def _folder(name: str) -> Path:
    return temporary_folder() / name


def _tool(words: Sequence[str | Path]) -> subprocess.CompletedProcess[str]:
    """Run a tool of the environment that this process runs in, in the repository."""
    program, *more = words
    command = [Path(sys.executable).parent / program, *more]
    variables = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    return subprocess.run(command, cwd=ROOT, env=variables, capture_output=True, text=True)
