"""How `tests.run` groups files and tells what failed."""

import pytest

from experiments.house import repository_rows
from tests import run


def test_long_files_come_first_and_short_ones_together():
    seconds = {"a": 5.0, "b": 210.0, "c": 150.0, "d": 20.0, "e": 0.0}
    assert run.groups_of(seconds) == [["b"], ["c", "d", "a", "e"]]


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_beside_the_groups(monkeypatch, tmp_path, capsys, code):
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    monkeypatch.setattr(run, "SECONDS_FILE", tmp_path / "seconds.json")
    command = f"sh -c 'echo linted; exit {code}'"
    monkeypatch.setattr("sys.argv", ["run", "--also", command])
    assert run.main() == bool(code)
    said = capsys.readouterr().out
    assert "linted" in said and (f"failed: {command}" in said) == bool(code)


@pytest.mark.parametrize(("body", "code"), [("pass", 0), ("assert 1 == 2", 1)])
def test_what_is_printed(monkeypatch, tmp_path, capsys, body, code):
    (tmp_path / "test_one.py").write_text(f"def test_it():\n    {body}\n")
    (tmp_path / "test_two.py").write_text("")  # nothing to run is no failure
    monkeypatch.setattr(run, "FOLDER", tmp_path)
    monkeypatch.setattr(run, "SECONDS_FILE", tmp_path / "seconds.json")
    monkeypatch.setenv("ASR_QAT_TESTS_SHARED", "that of the tests around")
    monkeypatch.setattr("sys.argv", ["run", "--save", "-p", "no:randomly"])
    assert run.main() == code
    said = capsys.readouterr().out
    ((name, _),) = repository_rows.durations(said)
    assert name == "tests/test_one.py::test_it"
    assert ("assert 1 == 2" in said) == ("failed: test_one.py" in said) == bool(code)
    assert set(run.json.loads((tmp_path / "seconds.json").read_text())) == {
        "test_one.py", "test_two.py"
    }  # fmt: skip
