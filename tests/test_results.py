"""Every committed file of `results/` fits the typed code that reads it, and what it gives."""

import functools
import itertools
import shlex
import subprocess

import pytest

from asr_qat import files
from asr_qat.errors import UserError
from experiments.results import __main__ as command
from experiments.results import repository
from experiments.results.kinds import kind_of, render, texts
from experiments.results.measurements import MEASUREMENTS, Measurement
from tests.training_fixtures import REPOSITORY

RESULTS = REPOSITORY / "results"
PATHS = sorted(RESULTS.glob("*.json"))
# What stands beside the results without being made from one file of them.
OTHERS = {"streaming_mixture.yaml"}


rendered = functools.cache(render)


def is_study(path) -> bool:
    return path.name.startswith(("study_", "bits_"))  # a minute of plots


@pytest.mark.parametrize(
    "path",
    [pytest.param(path, marks=[pytest.mark.slow] * is_study(path)) for path in PATHS],
    ids=lambda path: path.stem,
)
def test_what_is_rendered_is_what_was_committed(path):
    for made, content in texts(rendered(path)).items():
        assert made.read_bytes() == content, made


def test_nothing_else_lies_there():
    """No table whose numbers are gone, and nothing that no code reads."""
    made = [set(rendered(path)) for path in PATHS if not is_study(path)]
    rest = {path for path in RESULTS.iterdir() if path.is_file() and not is_study(path)}
    rest -= {*PATHS, *itertools.chain(*made)}
    assert {path.name for path in rest} <= OTHERS


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_commit_is_known(path):
    words = ["git", "rev-parse", "--is-shallow-repository"]
    done = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True)
    if done.stdout.strip() != "false":
        pytest.skip("needs a checkout with its history")
    repository.require_in_history(path, files.read_json(path)["commit"])


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_the_command_is_of_no_machine(path):
    """Who repeats it has other folders: paths are relative."""
    words = shlex.split(files.read_json(path)["command"])
    assert not [word for word in words if word.rpartition("=")[2].startswith(("/", "~"))]


def test_measured_results_have_a_kind():
    names = [name for each in MEASUREMENTS for name in each.results]
    assert len(set(names)) == len(names)
    for name in names:
        assert kind_of(RESULTS / name)


def test_no_error_rates_of_untrained_weights():
    for name in ("scale.json", "transducer_scale.json", "streaming_scale.json"):
        text = (RESULTS / name).read_text()
        assert '"wer' not in text and '"cer' not in text
        assert "WER" not in (RESULTS / name).with_suffix(".md").read_text()


def test_damaged_results_are_one_line(tmp_path):
    content = files.read_json(RESULTS / "streaming_server.json")
    del content["late_chunks"]
    files.write_json(tmp_path / "streaming_server.json", content)
    with pytest.raises(UserError, match="streaming_server.json: .*late_chunks"):
        render(tmp_path / "streaming_server.json")
    files.write_json(tmp_path / "other.json", {})
    with pytest.raises(UserError, match="other.json: results of no known kind"):
        render(tmp_path / "other.json")


def test_the_list(capsys):
    command.main(["--list"])
    said = capsys.readouterr().out
    for each in MEASUREMENTS:
        assert each.name in said and each.commands[-1] in said
    assert "study_an4" in said and "of commit" in said
    command.main(["--list", "--only", "scale"])
    said = capsys.readouterr().out
    assert "transducer_loss" not in said
    with pytest.raises(UserError, match="--only nothing: expected training_cost, "):
        command.main(["--list", "--only", "nothing"])


def test_commits_that_results_must_not_name(monkeypatch, tmp_path):
    for name, reason in {
        "0123abc-dirty": "files differ from the commit 0123abc, .*: commit them",
        "unknown": "no git checkout",
    }.items():
        monkeypatch.setattr(repository, "code_commit", lambda name=name: name)
        with pytest.raises(UserError, match=reason):
            repository.clean_commit()


def test_a_commit_that_no_branch_has(monkeypatch, tmp_path):
    def git(*words):
        name = ("-c", "user.name=x", "-c", "user.email=x@x")
        done = subprocess.run(
            ["git", *name, *words], cwd=tmp_path, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    git("init", "--quiet", "--initial-branch", "main")
    git("commit", "--quiet", "--allow-empty", "--message", "first")
    first = git("rev-parse", "HEAD")
    monkeypatch.setattr(repository, "ROOT", tmp_path)
    monkeypatch.setattr(repository, "code_commit", lambda: first)
    assert repository.clean_commit() == first
    git("checkout", "--quiet", "--detach")
    git("commit", "--quiet", "--allow-empty", "--message", "lost")
    lost = git("rev-parse", "HEAD")
    monkeypatch.setattr(repository, "code_commit", lambda: lost)
    with pytest.raises(UserError, match=f"the commit {lost} is in the history of no branch"):
        repository.clean_commit()
    git("checkout", "--quiet", "main")
    repository.require_in_history(tmp_path / "a.json", first)
    with pytest.raises(UserError, match="a.json: measured at the commit .*, which is not in"):
        repository.require_in_history(tmp_path / "a.json", lost)


def test_a_measurement_that_fails_is_named(monkeypatch, capfd):
    failing = Measurement(("scale.json",), ("asr-qat nothing",), minutes=1)
    monkeypatch.setattr(command, "MEASUREMENTS", (failing,))
    monkeypatch.setattr(command, "clean_commit", lambda: "0123abc")
    monkeypatch.setattr(command, "_kept", list)
    with pytest.raises(UserError, match="^not measured: scale$"):
        command.main([])
    assert "exit code 1" in capfd.readouterr().out
    commits = iter(["0123abc", "4567def"])
    monkeypatch.setattr(command, "clean_commit", lambda: next(commits))
    with pytest.raises(UserError, match="is no longer at 0123abc: start again"):
        command.main([])
