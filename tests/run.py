"""All tests, in groups of files: `python -m tests.run [--workers N] [arguments of pytest]`.

Each group has a fresh process, since TensorFlow does not give back memory: two processes for all
files grow to 12 GB each. `WORKERS` groups run at once, the longest first, and none waits for
another. All groups share the tiny models and files that fixtures make once.
"""

import argparse
import concurrent.futures
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path

from asr_qat.cores import usable_cores

FOLDER = Path(__file__).parent
SECONDS_FILE = FOLDER / "seconds.json"  # what each file took, for the order; --save writes it
GROUP_SECONDS = 200.0
UNKNOWN_SECONDS = 5.0  # of a file that was not measured yet
SLOWEST = 10
# So that the processes do not take each other's cores.
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
NOTHING_TO_RUN = 5  # pytest's exit code if no test of these files is asked for


def groups_of(seconds: Mapping[str, float]) -> list[list[str]]:
    """Files in groups of about `GROUP_SECONDS`, long ones first."""
    groups: list[list[str]] = []
    room = 0.0
    for name in sorted(seconds, key=lambda name: (-seconds[name], name)):
        if not groups or seconds[name] > room:
            groups.append([])
            room = GROUP_SECONDS
        groups[-1].append(name)
        room -= seconds[name]
    return groups


def run_group(names: list[str], report: Path, arguments: list[str]) -> bool:
    """Run the tests of a group and print what pytest says. Returns whether they pass."""
    words = ["-m", "pytest", "-q", "--junitxml", str(report), "-p", "no:cacheprovider"]
    command = [sys.executable, *words, *arguments, *(str(FOLDER / name) for name in names)]
    return run_command(", ".join(names), command, (0, NOTHING_TO_RUN))


def run_command(name: str, command: list[str], good: tuple[int, ...] = (0,)) -> bool:
    """Run a command and print its last line, or all of them where it fails."""
    started = time.monotonic()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    passed = done.returncode in good
    *_, last = done.stdout.splitlines() or [""]
    said = last if passed else done.stdout
    print(f"{name}: {time.monotonic() - started:.0f} s\n  {said}", flush=True)
    return passed


def durations(report: Path) -> dict[tuple[str, str], float]:
    """Seconds of each test, its fixtures included, by file and name."""
    if not report.exists():  # the process was killed
        return {}
    found: dict[tuple[str, str], float] = {}
    for case in ET.parse(report).iter("testcase"):
        key = (case.get("classname", "").rsplit(".", 1)[-1] + ".py", case.get("name", ""))
        found[key] = found.get(key, 0.0) + float(case.get("time", 0))
    return found


def main() -> int:
    """Run all groups. Returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, default=2, help="groups at once (default: 2)")
    parser.add_argument("--save", action="store_true", help=f"write {SECONDS_FILE.name} anew")
    parser.add_argument("--also", default="", metavar="COMMAND", help="to run beside the groups")
    given, arguments = parser.parse_known_args()
    measured = json.loads(SECONDS_FILE.read_text()) if SECONDS_FILE.exists() else {}
    names = [path.name for path in FOLDER.glob("test_*.py")]
    groups = groups_of({name: measured.get(name, UNKNOWN_SECONDS) for name in names})
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["ASR_QAT_TESTS_SHARED"] = folder
        os.environ.update(dict.fromkeys(THREADS, str(max(1, usable_cores() // given.workers))))
        reports = [Path(folder) / "reports" / f"{index}.xml" for index in range(len(groups))]
        with concurrent.futures.ThreadPoolExecutor(given.workers) as pool:
            beside = given.also and pool.submit(run_command, given.also, shlex.split(given.also))
            passed = list(pool.map(run_group, groups, reports, [arguments] * len(groups)))
        found = {key: value for report in reports for key, value in durations(report).items()}
    total = dict.fromkeys(names, 0.0)
    for (name, _), value in found.items():
        total[name] += value
    if given.save:
        rounded = {name: round(value, 1) for name, value in sorted(total.items())}
        SECONDS_FILE.write_text(json.dumps(rounded, indent=0) + "\n")
    print(f"slowest {SLOWEST} of {len(found)} tests:")
    for (name, test), value in sorted(found.items(), key=lambda item: -item[1])[:SLOWEST]:
        print(f"{value:.2f}s tests/{name}::{test}")
    failed = [", ".join(group) for group, good in zip(groups, passed, strict=True) if not good]
    if beside and not beside.result():
        failed.append(given.also)
    print(f"{len(groups)} groups in {time.monotonic() - started:.0f} s, {len(failed)} failed")
    for group in failed:
        print(f"failed: {group}")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
