"""What `python -m experiments.house` writes, without the environments that it makes."""

import json
import sysconfig
from pathlib import Path

import pytest

from experiments.house import __main__ as command
from experiments.house import device_rows, repository_rows
from experiments.house.environment import Environment, find_python, newest_version
from experiments.targets import Row, at_most, equal, without_target


def test_a_row_is_met_or_not():
    assert at_most("seconds", 0.2, 0.2).met and not at_most("seconds", 0.3, 0.2).met
    assert equal("loaded", False, False).met and not equal("loaded", True, False).met
    assert without_target("seconds", 3.0) == Row("seconds", 3.0, None, None)


def test_the_file(monkeypatch, tmp_path, capsys):
    for module in command.MODULES:
        monkeypatch.setattr(module, "ROWS", [])
    monkeypatch.setattr(device_rows, "ROWS", [lambda: at_most("MB", 3.0, 2.0)])
    monkeypatch.setattr("sys.argv", ["house", "--out", str(tmp_path / "house.json")])
    with pytest.raises(SystemExit) as stopped:
        command.main()
    assert not stopped.value.code
    assert capsys.readouterr().out.split() == ["MB", "3.00", "target", "2.0", "MISSED"]
    content = json.loads((tmp_path / "house.json").read_text())
    (row,) = content["targets"]
    assert row.pop("commit") == content["commit"]
    assert row == {"name": "MB", "value": 3.0, "target": 2.0, "met": False}
    assert content["hardware"]["cores"] >= 1


@pytest.mark.slow
def test_rows_on_commands(monkeypatch):
    """On the environment of the tests, in place of a fresh one."""
    scripts = Path(sysconfig.get_path("scripts"))
    monkeypatch.setattr(
        device_rows, "environment", lambda version: Environment(scripts, version, 1.0, 2.0)
    )
    monkeypatch.setattr(device_rows, "RUNS", 1)
    found = {row.name: row for row in (measure() for measure in device_rows.ROWS)}
    assert len(found) == len(device_rows.ROWS)
    assert found["TensorFlow is loaded by a transcription"].value is False
    assert 0 < found["processor seconds of asr-qat --help"].value < 20


def test_the_pythons_that_there_are():
    assert find_python("3.0") is None
    assert find_python(newest_version())


def test_seconds_of_tests_are_read():
    said = "61.53s tests/test_a.py::test_x[1]\n0.61s tests/test_b.py::test_y\n"
    assert repository_rows._DURATION.findall(said) == [
        ("61.53", "tests/test_a.py::test_x[1]"),
        ("0.61", "tests/test_b.py::test_y"),
    ]


def test_every_row_has_a_target_that_can_be_missed():
    assert [row.__name__ for row in repository_rows.ROWS][-1] == "test_minutes"  # the longest
    assert repository_rows.demo_leaves_the_tree_clean().met


def test_rows_that_are_not_measured_again_stay(monkeypatch, tmp_path, capsys):
    def megabytes():
        return at_most("MB", 1.0, 2.0)

    for module in command.MODULES:
        monkeypatch.setattr(module, "ROWS", [])
    monkeypatch.setattr(device_rows, "ROWS", [megabytes])
    path = tmp_path / "house.json"
    old = {"name": "seconds", "value": 3.0, "target": 2.0, "met": False, "commit": "abc"}
    path.write_text(json.dumps({"targets": [old, {**old, "name": "MB"}]}))
    monkeypatch.setattr("sys.argv", ["house", "--out", str(path), "--only", "megabytes"])
    with pytest.raises(SystemExit) as stopped:
        command.main()
    assert not stopped.value.code
    found = json.loads(path.read_text())["targets"]
    assert found[0] == old
    assert (found[1]["name"], found[1]["met"]) == ("MB", True) and len(found) == 2
    monkeypatch.setattr("sys.argv", ["house", "--out", str(path), "--only", "kilobytes"])
    with pytest.raises(SystemExit) as stopped:
        command.main()
    assert stopped.value.code == 1
    assert "--only kilobytes: expected megabytes" in capsys.readouterr().err
