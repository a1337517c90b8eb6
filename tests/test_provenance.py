"""The commit and the hardware that a result names."""

import json
import os
import shutil
import subprocess

import pytest

from asr_qat import provenance
from asr_qat.provenance import Provenance, _commit

pytestmark = pytest.mark.runtime


@pytest.fixture
def repository(tmp_path):
    """A repository of somebody else with one commit."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    (tmp_path / "package").mkdir()
    (tmp_path / "package/__init__.py").touch()
    for folder in ("results", "package/results"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "some.json").write_text("{}")
    (tmp_path / ".gitignore").write_text("venv\n")
    git(tmp_path, "init", "--quiet")
    git(tmp_path, "add", ".")
    git(tmp_path, "-c", "user.name=x", "-c", "user.email=x@x", "commit", "--quiet", "-m", "x")
    return tmp_path


def git(folder, *words) -> str:
    done = subprocess.run(["git", *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_commit_of_the_checkout(repository):
    commit = git(repository, "rev-parse", "HEAD")[:12]
    assert _commit(repository / "package") == commit
    (repository / "package/__init__.py").write_text("changed")
    assert _commit(repository / "package") == f"{commit}-dirty"


def test_results_that_are_written_anew_do_not_change_the_code(repository):
    commit = git(repository, "rev-parse", "HEAD")[:12]
    (repository / "results/some.json").write_text("[]")
    (repository / "results/new.json").write_text("[]")
    assert _commit(repository / "package") == commit
    (repository / "package/results/some.json").write_text("[]")  # belongs to the code
    assert _commit(repository / "package") == f"{commit}-dirty"


def test_what_is_removed_or_staged_is_a_change(repository):
    (repository / "package/results/some.json").unlink()
    assert _commit(repository / "package").endswith("-dirty")
    git(repository, "checkout", "--quiet", ".")
    assert not _commit(repository / "package").endswith("-dirty")
    (repository / "package/more.py").touch()
    assert not _commit(repository / "package").endswith("-dirty")  # not tracked
    git(repository, "add", "package/more.py")
    assert _commit(repository / "package").endswith("-dirty")


@pytest.mark.parametrize("where", ["venv/asr_qat", "asr_qat", "vendored/package"])
def test_a_repository_of_somebody_else(repository, where):
    (repository / where).mkdir(parents=True)
    (repository / where / "__init__.py").touch()
    if where.startswith("vendored"):
        git(repository, "add", where)
    assert _commit(repository / where) == "unknown"


def test_no_repository(tmp_path):
    (tmp_path / "package").mkdir()
    assert _commit(tmp_path / "package") == "unknown"


@pytest.mark.parametrize(
    "cpuinfo", [None, "", "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd\n"]
)
def test_hardware_of_other_systems(monkeypatch, tmp_path, cpuinfo):
    """Without /proc or with that of Arm: something is said of everything."""
    path = tmp_path / "cpuinfo"
    if cpuinfo is not None:
        path.write_text(cpuinfo)
    monkeypatch.setattr(provenance, "CPUINFO", path)
    monkeypatch.delattr(os, "sched_getaffinity")
    found = provenance.hardware()
    assert found.cpu and found.vnni is None
    assert found.cores >= 1 and found.memory_gb > 0


def test_hardware_of_linux(monkeypatch, tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text(
        "processor\t: 0\nmodel name\t: Some CPU @ 2.80GHz\nflags\t\t: fpu avx512_vnni\n"
    )
    monkeypatch.setattr(provenance, "CPUINFO", path)
    found = provenance.hardware()
    assert (found.cpu, found.vnni) == ("Some CPU @ 2.80GHz", True)


def test_it_is_read_again_as_it_was_written():
    pytest.importorskip("pydantic")  # what reads results is not on a device
    given = provenance.provenance(3)
    from asr_qat.config import from_dict  # the training side has pydantic

    found = from_dict(Provenance, json.loads(json.dumps(given)), "results.json")
    assert found == Provenance.of_this_run(3)
    assert found.seed == 3 and found.hardware.cores >= 1 and "python" in found.versions


@pytest.mark.parametrize(
    ("program", "command"),
    [
        ("/somewhere/bin/asr-qat", "asr-qat --quiet"),
        (provenance.PACKAGE / "cli.py", "asr-qat --quiet"),
        (
            provenance.PACKAGE.parent / "experiments/house/__main__.py",
            "python -m experiments.house --quiet",
        ),
    ],
)
def test_the_command_as_it_is_typed(program, command, monkeypatch):
    monkeypatch.setattr("sys.argv", [str(program), "--quiet"])
    assert Provenance.of_this_run().command == command
