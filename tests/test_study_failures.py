"""Studies whose cells fail or that are killed, and what their workers do."""

import contextlib
import dataclasses
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from asr_qat import files
from experiments.study.planned_cells import expand
from experiments.study.run_study import study
from experiments.study.worker_pool import encode_job
from tests.study_run_fixtures import GROUPS, cell_file, configuration, refusal, written
from tests.training_fixtures import REPOSITORY, as_yaml, command

pytest_plugins = ["tests.training_fixtures", "tests.study_run_fixtures"]


@pytest.mark.slow
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
    assert len(files.read_json(f"{config.output}.json")["rows"]) == 2


@pytest.mark.slow
def test_ptq_cells_of_a_baseline_that_fails_fail(prepared_folder, start, tmp_path):
    config = configuration(prepared_folder, start, tmp_path, {"four": GROUPS["four"]})
    blocked = Path(config.work) / "float_s2_seed0"
    blocked.parent.mkdir()
    blocked.write_text("in the place of the model directory")
    message = refusal(config)
    assert "w4a8_ptq_s2_seed0: its model, of float_s2_seed0, failed" in message
    assert set(written(config)) == {"w4a8_native_s2_seed0"}


@pytest.mark.slow
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
    _wait(lambda: not _workers(config), 60)  # they stop by themselves
    assert process.returncode == (130 if how == signal.SIGINT else -how)
    assert not cell_file(config, model.name).exists()
    assert begun.is_file()
    before = (model / "training.json").stat().st_mtime_ns
    content = study(config, only="float*", quiet=True)
    assert [row["steps"] for row in content["rows"]] == [60]
    assert (model / "training.json").stat().st_mtime_ns > before
    log = (Path(config.work) / "logs/worker0.log").read_text()
    assert log.count(f"== {model.name}") == 2  # begun twice
    (line,) = [json.loads(line) for line in (model / "history.jsonl").open()]
    assert line["step"] == 60


def test_worker_answers_and_ends_with_its_input(tmp_path, prepared_folder):
    config = configuration(prepared_folder, tmp_path / "no_model", tmp_path)
    (cell, *_) = expand(config)
    jobs = encode_job(cell, {"training": {}, "start": None, "corpus": ""}, tmp_path / "x.json")
    log = tmp_path / "worker.log"
    with subprocess.Popen(
        [sys.executable, "-m", "experiments.study.worker_pool", str(log)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    ) as process:
        assert process.stdin and process.stdout
        for _ in range(2):  # an error does not end it
            process.stdin.write(jobs)
            process.stdin.flush()
            answer = json.loads(process.stdout.readline())
            assert answer["name"] == cell.name and "no_model" in answer["error"]
        process.stdin.close()
        assert process.stdout.read() == ""
        assert process.wait(60) == 0
    assert f"== {cell.name}" in log.read_text()


def _workers(config) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (folder / "cmdline").read_text().split("\0")
            if "experiments.study.worker_pool" in words and any(config.work in w for w in words):
                found.append(int(folder.name))
    return found


def _wait(condition, seconds: float) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.1)
