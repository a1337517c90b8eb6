"""The recovery drills: what they compare, what they draw, and a few of them."""

import dataclasses
import json
import os
import subprocess
import sys

import numpy as np
import pytest

from asr_qat import files
from experiments.drills.compare import differences, left
from experiments.drills.process import Ended, Kill
from experiments.drills.rows import DrillResults, DrillRow
from experiments.drills.table import drills_table
from tests.training_fixtures import REPOSITORY

ROW = DrillRow(
    kind="kill",
    command="train",
    how="killed",
    cases=3,
    same=2,
    said=1,
    wrong=0,
    left=0,
    seconds=9.0,
    commit="0123456789ab",
)


def made(folder, **content):
    folder.mkdir()
    folder.with_name(f"{folder.name}.tmp").mkdir()
    for name, text in content.items():
        (folder / name.replace("_", ".")).write_text(text)
    return folder


def test_times_make_no_difference_and_values_do(tmp_path):
    one = made(tmp_path / "one", a_json='{"x": 1, "seconds": 2}', b_md="| peak memory | 1 |\nx\n")
    two = made(tmp_path / "two", a_json='{"x": 1, "seconds": 3}', b_md="| peak memory | 2 |\nx\n")
    assert differences(two, one) == [] == left(two, one)
    (two / "a.json").write_text('{"x": 2, "seconds": 2}')
    (two / "b.md").unlink()
    assert differences(two, one) == ["b.md is missing", "a.json differs"]


def test_what_is_left_is_named(tmp_path):
    one, two = made(tmp_path / "one"), made(tmp_path / "two", x_tmp="")
    (tmp_path / "two.tmp/part").touch()
    (two / "tensorboard").mkdir()
    (two / "tensorboard/events.1").touch()  # a further one of each start
    assert left(two, one) == ["x.tmp", "part"]


def test_points_follow_from_the_seed():
    whole = Ended(0, 2.0, 7, "")
    drawn = [Kill.drawn(np.random.default_rng([3, number]), whole) for number in range(50)]
    assert drawn == [Kill.drawn(np.random.default_rng([3, number]), whole) for number in range(50)]
    changes = {kill.change for kill in drawn if kill.change is not None}
    assert changes <= set(range(1, 8)) and len(changes) > 3
    assert all(0 <= kill.seconds < 2 for kill in drawn if kill.seconds is not None)


@pytest.mark.parametrize(
    ("code", "said", "good"),
    [
        (1, "progress\nasr-qat: error: x: wait\n", True),
        (1, "Traceback (most recent call last)\nasr-qat: error: x", False),
        (2, "asr-qat: error: x", False),
        (1, "", False),
    ],
)
def test_an_error_in_one_line(code, said, good):
    assert Ended(code, 1.0, 0, said).in_one_line == good


def results(rows, *problems):
    facts = json.loads((REPOSITORY / "results/house.json").read_text())
    facts = {key: facts[key] for key in ("command", "commit", "versions", "hardware", "seed")}
    return DrillResults(**facts, rows=rows, problems=problems)


def test_targets_count_what_went_wrong():
    wrong = dataclasses.replace(ROW, wrong=1, left=2)
    found = results((ROW, wrong), "kill, train, 2: x").with_targets()
    assert [(row.value, row.met) for row in found.targets] == [(1, False), (2, False)]
    assert drills_table(found).startswith("**0 of 2 targets met.** 6 drills")
    assert "\n- kill, train, 2: x\n" in drills_table(found)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "kills", "cases"), [("kill", "3", 3), ("full disk", "15", 1)])
def test_a_few_drills(kind, kills, cases, tmp_path):
    """In a process of its own, which computes nothing before it forks; other rows stay."""
    row, again = ROW, dataclasses.replace(ROW, kind=kind, command="prepare", wrong=1)
    before = results((row, again), "kill, train, 2: x", f"{kind}, prepare, 1: x")
    files.write_json(tmp_path / "drills.json", dataclasses.asdict(before))
    words = ["--kills", kills, "--kind", kind, "--seed", "1", "--only", "prepare", "--quiet"]
    command = [sys.executable, "-m", "experiments.drills", *words, "--out", "drills.json"]
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(
        command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "drills.json").read_text())
    assert found["problems"] == ["kill, train, 2: x"]
    kept, drilled = found["rows"]
    assert kept == dataclasses.asdict(row)
    assert (drilled["kind"], drilled["cases"], drilled["same"]) == (kind, cases, cases)
    assert all(row["met"] for row in found["targets"])
