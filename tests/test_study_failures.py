"""Studies whose cells fail or that are killed, and what their workers do."""

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import signal
import time
from pathlib import Path

import pytest

from asr_qat.parallel.workers import OpenWorkers, Workers
from experiments.study.cell_job import Job
from experiments.study.cell_rows import Fingerprint
from experiments.study.planned_cells import expand
from experiments.study.run_cells import run_cells
from experiments.study.run_study import study
from experiments.study.saved_study import read_study
from tests.study_run_fixtures import GROUPS, cell_file, configuration, refusal, written
from tests.training_fixtures import as_yaml, command

pytest_plugins = ["tests.training_fixtures", "tests.study_run_fixtures"]


@pytest.mark.long
def test_failing_cell_is_named_and_does_not_stop_the_others(prepared_folder, start, tmp_path):
    bad = {"precisions": ["w8a8"], "quantization": {"overrides": {"no_such_layer": "float"}}}
    config = configuration(
        prepared_folder, start, tmp_path, {"bad": bad, "good": {"precisions": ["w8a8"]}}
    )
    path = as_yaml(config, tmp_path / "study.yaml")
    process = command("study", path, "--workers", "1", "--quiet")
    _, said = process.communicate()
    assert process.returncode == 1
    (line,) = [line for line in said.splitlines() if "error" in line]
    assert "w8a8+bad_native_s2_seed0: overrides: 'no_such_layer' matches no layer" in line
    assert "1 of 3 cells failed" in line
    assert set(written(config)) == {"float_s2_seed0", "w8a8_native_s2_seed0"}
    assert len(read_study(f"{config.output}.json").rows) == 2


@pytest.mark.long
def test_ptq_cells_of_a_baseline_that_fails_fail(prepared_folder, start, tmp_path):
    config = configuration(prepared_folder, start, tmp_path, {"four": GROUPS["four"]})
    blocked = Path(config.work) / "float_s2_seed0"
    blocked.parent.mkdir()
    blocked.write_text("instead of the model directory")
    message = refusal(config)
    assert "w4a8_ptq_s2_seed0: its model, of float_s2_seed0, failed" in message
    assert set(written(config)) == {"w4a8_native_s2_seed0"}


@pytest.mark.long
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_killed_study_goes_on_where_it_was(how, prepared_folder, start, tmp_path):
    config = configuration(prepared_folder, start, tmp_path, {"w8": {"precisions": ["w8a8"]}})
    training = {**config.training, "steps": 60, "checkpoint_minutes": 0.0}  # one at each step
    config = dataclasses.replace(config, training=training)
    path = as_yaml(config, tmp_path / "study.yaml")
    process = command("study", path, "--only", "float*", "--workers", "1", "--quiet")
    model = Path(config.work) / "float_s60_seed0"
    begun = model / "checkpoints/checkpoint"
    _wait(lambda: begun.is_file() or process.poll() is not None, 300)
    process.send_signal(how)
    process.communicate()
    log = Path(config.work) / f"logs/{model.name}.log"
    _wait(lambda: not _workers(log), 60)  # they stop by themselves
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    assert not cell_file(config, model.name).exists()
    assert begun.is_file()
    before = (model / "training.json").stat().st_mtime_ns
    content = study(config, only="float*", quiet=True)
    assert [row.steps for row in content.rows] == [60]
    assert (model / "training.json").stat().st_mtime_ns > before
    assert log.read_text().count(f"== {model.name}") == 2  # begun twice
    (line,) = [json.loads(line) for line in (model / "history.jsonl").open()]
    assert line["step"] == 60


@pytest.mark.long
def test_the_cell_of_a_killed_worker_begins_again(prepared_folder, start, tmp_path):
    groups = {"some": {"precisions": ["w8a8", "w4a8"], "methods": ["native"]}}
    config = configuration(prepared_folder, start, tmp_path, groups)
    path = as_yaml(config, tmp_path / "study.yaml")
    process = command("study", path, "--workers", "1", "--quiet")
    log = Path(config.work) / "logs/w8a8_native_s2_seed0.log"
    head = "== w8a8_native_s2_seed0"
    _wait(lambda: process.poll() is not None or (log.is_file() and head in log.read_text()), 300)
    (worker,) = _workers(log)
    os.kill(worker, signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == 0
    assert said.count("a process was killed: its job begins again") == 1
    names = {"float_s2_seed0", "w4a8_native_s2_seed0", "w8a8_native_s2_seed0"}
    assert set(written(config)) == names
    assert log.read_text().count(head) == 2


def jobs(config, tmp_path) -> list[Job]:
    """They fail at their start, since there is no model; the second needs that of the first."""
    fingerprint = Fingerprint("float", None, {}, None, "", (1.0,), ("test",))
    return [
        Job(cell, fingerprint, tmp_path / "x.json", tmp_path / f"logs/{cell.name}.log", False)
        for cell in expand(config)
    ]


def test_a_cell_that_fails_and_one_that_waits_for_it(tmp_path, prepared_folder):
    config = configuration(prepared_folder, tmp_path / "no_model", tmp_path)
    float_, ptq, *_ = given = jobs(config, tmp_path)[:2]
    (first, failed), (second, left) = run_cells(given, Workers(fresh=True))
    assert (first, second) == (float_, ptq) and ptq.cell.source == float_.cell.name
    assert "no_model" in failed.error
    assert left.error == f"its model, of {float_.cell.name}, failed"
    assert f"== {float_.cell.name}" in float_.log.read_text()
    assert not ptq.log.exists() and not float_.output.exists()


class Killed(concurrent.futures.Executor):
    """One whose workers do not live."""

    def submit(self, fn, /, *args, **kwargs):
        future = concurrent.futures.Future()
        future.set_exception(concurrent.futures.BrokenExecutor("its process was killed."))
        return future


def test_a_cell_whose_worker_is_killed_again_and_again_is_named(
    tmp_path, prepared_folder, monkeypatch
):
    config = configuration(prepared_folder, tmp_path / "no_model", tmp_path)
    opened = OpenWorkers(Killed(), 1, given=1)
    monkeypatch.setattr(Workers, "open", lambda self: opened)
    given = jobs(config, tmp_path)
    errors = {job.cell.name: outcome.error for job, outcome in run_cells(given, Workers())}
    assert set(errors) == {job.cell.name for job in given}
    native = next(job for job in given if job.cell.method == "native")
    assert errors[native.cell.name] == f"its process was killed. See {native.log}"


def test_no_cell_to_run_needs_no_workers(monkeypatch):
    monkeypatch.setattr(Workers, "open", lambda self: pytest.fail("opened"))
    assert not list(run_cells([], Workers("ray", fresh=True)))


def _workers(log: Path) -> list[int]:
    """Processes that write to a log."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (folder / "fd/1").readlink() == log.resolve():
                found.append(int(folder.name))
    return found


def _wait(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
