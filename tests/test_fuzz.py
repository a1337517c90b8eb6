"""The fuzzer counts what goes wrong, and nothing does in the targets that there are."""

import contextlib
import json
import logging
import time
import warnings

import numpy as np
import pytest

from experiments.fuzz import __main__ as command
from experiments.fuzz.harness import Limits, run
from experiments.fuzz.outcome import Kind
from experiments.fuzz.registry import CASES, module_of, names
from experiments.fuzz.rows import FuzzResults, input_row
from experiments.fuzz.said import listening
from experiments.fuzz.table import fuzz_table
from tests import wrong_target

SEED = 3
TARGET_SECONDS = 4.0  # for each target, beside its beginning


def number_of(what: str) -> int:
    """A case in which the target of this name does that."""
    index = wrong_target.CASES.index(what)
    size = len(wrong_target.CASES)
    return next(n for n in range(1000) if np.random.default_rng([SEED, n]).integers(size) == index)


def test_all_that_goes_wrong_is_counted():
    numbers = [number_of(what) for what in wrong_target.CASES] + [number_of("same")]
    limits = Limits(seconds=2.0, memory_gb=0.5)
    found = list(run("tests.wrong_target", numbers, SEED, limits))
    kinds = "same refused different traceback crash crash hang crash same".split()
    assert [outcome.kind.value for outcome in found] == kinds
    assert [outcome.number for outcome in found] == numbers
    said = dict(zip(wrong_target.CASES, [outcome.detail for outcome in found], strict=False))
    assert said["refused"] == "changed: damaged"
    assert said["traceback"].endswith("ValueError: not what a user wants to see\n")
    assert said["crash"].startswith("ended by SIGSEGV") and "library says" in said["crash"]
    assert said["exit"].startswith("ended with 3")
    assert "wrong_target.py" in said["hang"] and "in attempt" in said["hang"]
    assert said["memory"].startswith("took 0.")
    row = input_row("audio", found, 1.0, SEED, "0123abc")
    counts = (row.cases, row.same, row.refused, row.different, row.tracebacks, row.crashes)
    assert counts == (9, 2, 1, 1, 1, 3) and row.hangs == 1 and row.wrong == 6
    reasons = [failure.reason for failure in row.failures]
    assert reasons[1:3] == ["ValueError: not what a user wants to see", "ended by SIGSEGV"]


def test_a_case_is_the_same_again():
    numbers = [number_of("refused"), number_of("different")]
    alone = [next(run("tests.wrong_target", [number], SEED)).kind for number in numbers[::-1]]
    assert alone == [Kind.DIFFERENT, Kind.REFUSED]


def test_a_target_without_inputs():
    with pytest.raises(RuntimeError, match="tests.no_target cannot make its inputs"):
        next(run("tests.no_target", [0]))


@pytest.fixture
def target(monkeypatch):
    monkeypatch.setattr(command, "names", lambda: ["audio"])
    monkeypatch.setattr(command, "module_of", lambda name: "tests.wrong_target")


def called(monkeypatch, *words) -> int | None:
    monkeypatch.setattr("sys.argv", ["fuzz", "--quiet", *map(str, words)])
    with pytest.raises(SystemExit) as stopped:
        command.main()
    return stopped.value.code


def test_the_command(monkeypatch, tmp_path, capsys, target):
    out = tmp_path / "fuzz.json"
    count = number_of("different") + 1
    monkeypatch.setattr(command, "run", lambda *args: run(*args, Limits(seconds=1.0)))
    assert called(monkeypatch, "--seed", SEED, "--cases", f"audio={count}", "--out", out) == 1
    printed = capsys.readouterr()
    again = (
        f"audio: different (python -m experiments.fuzz --only audio --seed 3 --case {count - 1})"
    )
    assert again in printed.out
    assert "went wrong, see above" in printed.err
    content = json.loads(out.read_text())
    (row,) = content["inputs"]
    assert (row["cases"], row["seed"], content["seed"]) == (count, SEED, SEED)
    met = {target["name"]: target["met"] for target in content["targets"]}
    assert met["audio: cases"] is False
    assert met["audio: silently different results"] is False
    assert "| audio | " in out.with_suffix(".md").read_text()
    words = ["--only", "audio", "--seed", SEED, "--case"]
    assert called(monkeypatch, *words, number_of("refused")) == 0
    assert "audio: refused" in capsys.readouterr().out
    assert called(monkeypatch, *words, number_of("traceback")) == 1
    assert "ValueError: not what" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--only", "nothing"], "--only nothing: expected audio"),
        (["--cases", "nothing=3"], "--cases nothing=3: expected a number, or NAME=N of audio"),
        (["--cases", "audio=x"], "--cases audio=x: expected"),
        (["--seed", "-1"], "--seed -1: expected 0 or more"),
    ],
)
def test_wrong_arguments(monkeypatch, capsys, target, words, said):
    assert called(monkeypatch, *words) == 1
    assert said in capsys.readouterr().err


def test_targets_are_met_by_enough_cases_alone():
    def results(number):
        outcomes = [command.Outcome(n, Kind.REFUSED) for n in range(number)]
        row = input_row("configurations", outcomes, 1.0, 0, "0123abc")
        about = command.provenance()
        return FuzzResults(**about, inputs=(row,)).with_targets()

    enough = results(CASES["configurations"])
    assert all(target.met for target in enough.targets)
    assert fuzz_table(enough).startswith("**5 of 5 targets met.** Of 500 changed inputs 0 were")
    assert not all(target.met for target in results(10).targets)


def test_what_is_said_is_heard():
    with listening() as said:
        logging.getLogger("asr_qat.audio.decode").warning("%s: louder", "a.wav")
        logging.getLogger("asr_qat").info("news")
        warnings.warn("one more", stacklevel=1)
    assert said == ["a.wav: louder", "one more"]


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_nothing_goes_wrong(name):
    with contextlib.closing(run(module_of(name), range(100_000), seed=1)) as outcomes:
        first = next(outcomes)
        end = time.monotonic() + TARGET_SECONDS
        found = [first]
        for outcome in outcomes:
            found.append(outcome)
            if time.monotonic() > end:
                break
    wrong = [outcome for outcome in found if not outcome.kind.right]
    assert not wrong, f"{name}, seed 1: {wrong[0]}"
