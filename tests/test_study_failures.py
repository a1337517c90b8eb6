"""Studies whose cells fail or that are killed, and what their workers do."""

import contextlib
import dataclasses
import json
import os
import signal
import time
from pathlib import Path

import pytest

from experiments.study.cell_rows import Fingerprint
from experiments.study.planned_cells import expand
from experiments.study.run_study import study
from experiments.study.saved_study import read_study
from experiments.study.worker_pool import Job, WorkerPool
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
    process = command("study", path, "--jobs", "1", "--quiet")
    _, said = process.communicate()
    assert process.returncode == 1
    (line,) = [line for line in said.splitlines() if "error" in line]
    assert "w8a8+bad_native_s2_seed0: overrides: 'no_such_layer' fits no layer" in line
    assert "1 of 3 cells failed" in line
    assert set(written(config)) == {"float_s2_seed0", "w8a8_native_s2_seed0"}
    assert len(read_study(f"{config.output}.json").rows) == 2


@pytest.mark.long
def test_ptq_cells_of_a_baseline_that_fails_fail(prepared_folder, start, tmp_path):
    config = configuration(prepared_folder, start, tmp_path, {"four": GROUPS["four"]})
    blocked = Path(config.work) / "float_s2_seed0"
    blocked.parent.mkdir()
    blocked.write_text("in the place of the model directory")
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
    process = command("study", path, "--only", "float*", "--jobs", "1", "--quiet")
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
def test_a_worker_that_is_killed_is_named_and_the_others_go_on(prepared_folder, start, tmp_path):
    groups = {"some": {"precisions": ["w8a8", "w4a8"], "methods": ["native"]}}
    config = configuration(prepared_folder, start, tmp_path, groups)
    path = as_yaml(config, tmp_path / "study.yaml")
    process = command("study", path, "--jobs", "1", "--quiet")
    log = Path(config.work) / "logs/w8a8_native_s2_seed0.log"
    _wait(lambda: _workers(log) or process.poll() is not None, 300)
    for worker in _workers(log):
        os.kill(worker, signal.SIGKILL)
    _, said = process.communicate()
    assert process.returncode == 1
    (line,) = [line for line in said.splitlines() if "error" in line]
    assert f"w8a8_native_s2_seed0: its process ended with exit code -9: see {log}" in line
    assert "1 of 3 cells failed" in line
    assert set(written(config)) == {"float_s2_seed0", "w4a8_native_s2_seed0"}


def job(config, tmp_path) -> Job:
    """One that fails at its start, since there is no model."""
    (cell, *_) = expand(config)
    fingerprint = Fingerprint("float", None, {}, None, "", (1.0,), ("test",))
    return Job(cell, fingerprint, tmp_path / "x.json", False)


def test_workers_answer_and_each_is_a_new_process(tmp_path, prepared_folder):
    config = configuration(prepared_folder, tmp_path / "no_model", tmp_path)
    one = job(config, tmp_path)
    with WorkerPool(tmp_path, 1) as pool:
        for _ in range(2):
            pool.start(one)
            assert pool.is_full and pool.running == [one.cell.name]
            ((same, outcome),) = pool.wait()
            assert same == one and "no_model" in outcome.error
            assert not pool.running
    log = (tmp_path / f"{one.cell.name}.log").read_text()
    assert log.count(f"== {one.cell.name}") == 2
    assert not (tmp_path / "x.json").exists()


def test_a_pool_that_is_left_ends_its_workers(tmp_path, prepared_folder):
    config = configuration(prepared_folder, tmp_path / "no_model", tmp_path)
    one = job(config, tmp_path)
    log = tmp_path / f"{one.cell.name}.log"
    with pytest.raises(KeyboardInterrupt), WorkerPool(tmp_path, 1) as pool:
        pool.start(one)
        _wait(lambda: _workers(log), 60)
        raise KeyboardInterrupt
    assert not _workers(log) and not pool.running


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
