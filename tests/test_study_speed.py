"""How fast a study's files are: what counts, what is timed again and what is kept."""

import types

import numpy as np
import pytest

from asr_qat import files
from asr_qat.config import from_dict
from experiments.study import file_speed
from experiments.study.config import StudyConfig
from experiments.study.planned_cells import expand
from experiments.study.saved_study import read_study
from tests.study_fixtures import FLOAT, VARIANTS, provenance, write, write_study

FLOAT_NAME, NATIVE = "float_s5", "w4a8_native_s5"


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A configuration, the content of its speed.json, and the files as they were timed."""
    values = {
        "data": "data",
        "output": str(tmp_path / "results"),
        "work": str(tmp_path / "work"),
        "training": {"steps": 5},
        "seeds": [0],
        "groups": {"one": {"precisions": ["w4a8"]}},
    }
    config = from_dict(StudyConfig, values, "study.yaml")
    (tmp_path / "work").mkdir()
    timed: list[str] = []

    def run(path, items, quiet):
        """A round of each file takes as many seconds as files were timed before it, and one."""
        timed.append(path.stem)
        return types.SimpleNamespace(seconds=np.array([len(timed)]), audio_seconds=np.array([10.0]))

    monkeypatch.setattr(file_speed, "TFLiteRecogniser", lambda path, threads: path)
    monkeypatch.setattr(file_speed.evaluate, "run", run)
    monkeypatch.setattr(file_speed, "recordings", lambda data, split: ["speech"] * 40)

    def measured():
        timed.clear()
        file_speed.measure_speed(config, quiet=True)
        path = tmp_path / "results" / "speed.json"
        return files.read_json(path) if path.is_file() else None

    return types.SimpleNamespace(
        files={cell.variant: cell.file for cell in expand(config)},
        measured=measured,
        timed=timed,
        output=tmp_path / "results" / "speed.json",
    )


def test_the_least_of_the_rounds_counts(study):
    for path in study.files.values():
        path.write_bytes(b"graph of " + path.name.encode())
    found = study.measured()
    assert study.timed == ["float_s5_seed0", "w4a8_native_s5_seed0"] * 3
    assert found["rtf"] == {FLOAT_NAME: 0.1, NATIVE: 0.2}
    assert found["spread"] == {FLOAT_NAME: pytest.approx(5.0), NATIVE: pytest.approx(3.0)}
    (run,) = found["runs"]
    assert run["rounds"] == {FLOAT_NAME: [0.1, 0.3, 0.5], NATIVE: [0.2, 0.4, 0.6]}
    assert (run["utterances"], run["threads"]) == (12, 1)
    assert "hardware" in run


def test_another_file_is_timed_again_and_what_is_not_there_stays(study):
    for path in study.files.values():
        path.write_bytes(b"before")
    first = study.measured()
    assert study.measured() == first and study.timed == []
    study.files[FLOAT_NAME].unlink()
    assert study.measured() == first and study.timed == []
    study.files[NATIVE].write_bytes(b"after")
    second = study.measured()
    assert study.timed == ["w4a8_native_s5_seed0"] * 3
    assert second["rtf"] == {FLOAT_NAME: 0.1, NATIVE: 0.1}
    earlier, latest = second["runs"]
    assert earlier["rounds"] == {FLOAT_NAME: first["runs"][0]["rounds"][FLOAT_NAME]}
    assert list(earlier["sha256"]) == [FLOAT_NAME]
    assert list(latest["sha256"]) == [NATIVE]
    study.files[FLOAT_NAME].write_bytes(b"another one")
    assert list(study.measured()["rtf"]) == [FLOAT_NAME, NATIVE]
    assert len(files.read_json(study.output)["runs"]) == 1


def test_the_file_of_an_earlier_version_is_taken_up(study):
    old = {
        **provenance("0123"),
        "rtf": {"gone": 0.5, NATIVE: 0.7},  # medians
        "rounds": {"gone": [0.4, 0.5, 0.6], NATIVE: [0.7, 0.7, 0.8]},
        "utterances": 12,
        "threads": 1,
    }
    write(study.output, old)
    assert study.measured() == old  # nothing to time, nothing to change
    study.files[NATIVE].write_bytes(b"graph")
    found = study.measured()
    assert found["rtf"] == {"gone": 0.4, NATIVE: 0.1}
    assert found["runs"][0] == {
        "rounds": {"gone": [0.4, 0.5, 0.6]},
        "sha256": {},
        "utterances": 12,
        "threads": 1,
        **provenance("0123"),
    }


def test_the_report_has_the_least_of_files_of_both_versions(tmp_path):
    results = write_study(tmp_path, VARIANTS[:1], seeds=(0,))
    assert read_study(results).speed is None
    path = results.with_suffix("") / "speed.json"
    rounds = {FLOAT.name: [0.004, 0.003, 0.006]}
    run = {"rounds": rounds, "utterances": 12, "threads": 1, **provenance("0123")}
    write(path, {"rtf": {FLOAT.name: 0.004}, **run})
    speed = read_study(results).speed
    assert (speed.rtf, speed.spread) == ({FLOAT.name: 0.003}, {FLOAT.name: 2.0})
    figures = {"rtf": speed.rtf, "spread": speed.spread}
    write(path, {**figures, "runs": [{**run, "sha256": {FLOAT.name: "ab"}}]})
    speed = read_study(results).speed
    assert (speed.rtf, speed.spread) == ({FLOAT.name: 0.003}, {FLOAT.name: 2.0})
