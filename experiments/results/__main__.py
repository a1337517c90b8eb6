"""`python -m experiments.results`: measure what takes an hour, render the rest again."""

import argparse
import shlex
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from asr_qat import files
from asr_qat.errors import exit_code, require
from experiments.results.measurements import MEASUREMENTS, Measurement
from experiments.results.repository import ROOT, clean_commit, require_in_history

PROGRAMS = {"asr-qat": "asr_qat.cli", "tflite-export": "tflite_export.cli"}
RESULTS = ROOT / "results"


def build_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = argparse.ArgumentParser(prog="python -m experiments.results", description=__doc__)
    parser.add_argument("--list", action="store_true", help="say what would be done, do nothing")
    parser.add_argument(
        "--render", action="store_true", help="measure nothing, render all files from their JSON"
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", help="of the measurements")
    return parser


def main(words: Sequence[str] | None = None) -> None:
    """Parse the arguments and do what they say."""
    args = build_parser().parse_args(words)
    chosen = _chosen(args.only)
    if args.list:
        _list(chosen)
        return
    if args.render:
        for path in sorted(RESULTS.glob("*.json")):
            _render(path)
        return
    commit = clean_commit()
    failed = [each.name for each in chosen if not _measure(each, commit)]
    for path in _kept():
        _render(path)
    require(not failed, f"not measured: {', '.join(failed)}")


def _chosen(names: Sequence[str] | None) -> list[Measurement]:
    by_name = {each.name: each for each in MEASUREMENTS}
    for name in names or ():
        require(name in by_name, f"--only {name}: expected {', '.join(by_name)}")
    return [each for each in MEASUREMENTS if names is None or each.name in names]


def _kept() -> list[Path]:
    """Results that stay as they are: they took days of training."""
    measured = {name for each in MEASUREMENTS for name in each.results}
    return [path for path in sorted(RESULTS.glob("*.json")) if path.name not in measured]


def _list(chosen: list[Measurement]) -> None:
    print("measured anew:")
    for each in chosen:
        print(f"  {each.name:<28} {each.minutes:3} min  {'; '.join(each.commands)}")
    print(f"  {'in all':<28} {sum(each.minutes for each in chosen):3} min")
    print("rendered again from JSON:")
    for path in _kept():
        print(f"  {path.stem:<28} of commit {files.read_json(path)['commit']}")


def _measure(measurement: Measurement, commit: str) -> bool:
    """Run the commands and read what they wrote; False if one failed.

    Raises:
        UserError: the code changed meanwhile, so that results would be of several versions.
    """
    for command in measurement.commands:
        require(clean_commit() == commit, f"{ROOT}: is no longer at {commit}: start again")
        print(f"== {command}", flush=True)
        started = time.monotonic()
        program, *words = shlex.split(command)
        module = [] if program == "python" else ["-m", PROGRAMS[program]]
        done = subprocess.run([sys.executable, *module, *words], cwd=ROOT)
        minutes = (time.monotonic() - started) / 60
        print(f"== {minutes:.1f} min, exit code {done.returncode}", flush=True)
        if done.returncode:
            return False
    for name in measurement.results:
        _written_as_rendered(RESULTS / name)
    return True


def _written_as_rendered(path: Path) -> None:
    """Check that what a command wrote for people is what its JSON gives.

    Raises:
        UserError: it is not.
    """
    from experiments.results.kinds import render, texts

    for made, content in texts(render(path)).items():
        require(made.read_bytes() == content, f"{made}: differs from what {path.name} gives")


def _render(path: Path) -> None:
    from experiments.results.kinds import render

    commit = files.read_json(path)["commit"]
    require_in_history(path, commit)
    rendered = render(path)
    for made, content in rendered.items():
        files.write_bytes(made, content)
    names = ", ".join(str(made.relative_to(RESULTS)) for made in rendered) or "nothing to render"
    print(f"{path.name}, measured at {commit}: {names}")


if __name__ == "__main__":
    sys.exit(exit_code("experiments.results", main))
