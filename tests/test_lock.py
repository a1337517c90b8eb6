"""Locks that say who holds them, and temporary files of processes that were killed."""

import dataclasses
import json
import math
import multiprocessing
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from asr_qat import files, leftovers, lock
from asr_qat.errors import UserError
from asr_qat.leftovers import own_temporary_files
from asr_qat.lock import Holder, locked

pytestmark = pytest.mark.runtime
REPOSITORY = Path(__file__).parent.parent


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(lock, "PATIENCE_S", 0.2)


def child(code: str) -> subprocess.Popen:
    """A process that has run the code as soon as it prints."""
    variables = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    started = subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, env=variables
    )
    assert started.stdout is not None and started.stdout.readline()
    return started


def killed(process: subprocess.Popen) -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()


HOLDS = """
import sys, time
from pathlib import Path
from asr_qat.lock import locked
sys.argv = ["asr-qat", "train", "--config", "x.yaml"]
with locked(Path({path!r}), shared={shared}):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_told_of_the_first(tmp_path):
    path = tmp_path / "model/.lock"
    first = child(HOLDS.format(path=str(path), shared=False))
    with pytest.raises(UserError) as caught, locked(path):
        pass
    said = str(caught.value)
    assert said.startswith(
        f"{tmp_path}/model: is being written by `asr-qat train --config x.yaml` "
        f"(process {first.pid} on {Holder.this_process().host}, since 2"
    )
    assert said.endswith("): wait for it, or stop it") and "\n" not in said
    killed(first)
    with locked(path):  # what a killed one has left is taken over without a word
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert list(path.parent.iterdir()) == []


def test_the_lock_goes_with_the_block_and_with_an_empty_folder(tmp_path):
    with pytest.raises(KeyError), locked(tmp_path / "new/.lock"):
        raise KeyError
    assert not (tmp_path / "new").exists()
    with locked(tmp_path / "new/.lock"):
        (tmp_path / "new/x").touch()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["x"]


def test_what_another_machine_has_left_is_removed_by_hand(tmp_path):
    path = tmp_path / ".lock"
    other = dataclasses.replace(Holder.this_process(), host="elsewhere", pid=1)
    path.write_text(json.dumps(dataclasses.asdict(other)))
    with pytest.raises(UserError) as caught, locked(path):
        pass
    assert "process 1 on elsewhere" in str(caught.value)
    assert str(caught.value).endswith(f"if it is not, remove {path}")
    assert path.exists()
    with locked(path, any_host=True):
        pass
    assert not path.exists()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"host": "x"}'])
def test_a_damaged_lock_is_taken_over(tmp_path, content):
    (tmp_path / ".lock").write_text(content)
    with locked(tmp_path / ".lock"):
        pass


def test_those_who_share_keep_others_out(tmp_path):
    path = tmp_path / ".lock"
    first = child(HOLDS.format(path=str(path), shared=True))
    with locked(path, shared=True):
        pass
    assert path.exists()  # the other one still holds it
    with pytest.raises(UserError, match="is being written by"), locked(path):
        pass
    killed(first)
    with locked(path), pytest.raises(UserError), locked(path, shared=True):
        pass


def test_one_waits_for_the_other(tmp_path):
    path, order = tmp_path / ".x.tflite.lock", []

    def second():
        with locked(path, patience_s=math.inf):
            order.append("second")

    with locked(path):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.3)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def _increment(path: Path, counter: Path, times: int) -> None:
    for _ in range(times):
        with locked(path, patience_s=60.0):
            counter.write_text(str(int(counter.read_text()) + 1))


def test_a_lock_that_is_removed_all_the_time_still_locks(tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    spawn = multiprocessing.get_context("fork")
    arguments = (tmp_path / ".lock", counter, 5)
    processes = [spawn.Process(target=_increment, args=arguments) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert counter.read_text() == "15"


LEAVES = """
import os, sys, time
from pathlib import Path
from asr_qat import files
from asr_qat.leftovers import temporary_folder
with files.replacing(Path({folder!r}) / "x.json") as path, temporary_folder("y", path.parent) as y:
    (y / "part").touch()
    path.with_name(path.name + ".weights.h5").touch()
    print("written", flush=True)
    time.sleep(60)
"""


def test_files_of_killed_processes_go_and_others_stay(tmp_path):
    """Those of a process that runs, of another machine, and what looks alike, stay."""
    dead, alive = (child(LEAVES.format(folder=str(tmp_path))) for _ in range(2))
    killed(dead)
    own = {path for path in tmp_path.iterdir() if f"-{alive.pid}-" in path.name}
    elsewhere = tmp_path / ".x.json.00000000-1-2.0123abcd.tmp"
    earlier = tmp_path / ".x.json.0123abcd.tmp"
    other = tmp_path / ".notes.tmp"
    for path in (elsewhere, earlier, other):
        path.touch()
    assert len(own) == 3 and len(list(tmp_path.iterdir())) == 9
    files.write_text(tmp_path / "new", "")
    assert set(tmp_path.iterdir()) == own | {elsewhere, earlier, other, tmp_path / "new"}
    leftovers.remove_left(tmp_path, alone=True)
    assert set(tmp_path.iterdir()) == own | {other, tmp_path / "new"}
    killed(alive)
    leftovers.remove_left(tmp_path)
    assert set(tmp_path.iterdir()) == {other, tmp_path / "new"}


def test_a_process_of_the_same_number_is_another_one(tmp_path):
    path = tmp_path / leftovers.temporary_name("x")
    path.touch()
    leftovers.remove_left(tmp_path)
    assert path.exists()
    host, pid, started = path.name.split(".")[2].split("-")
    path = path.rename(path.with_name(path.name.replace(f"-{started}.", f"-{int(started) - 1}.")))
    leftovers.remove_left(tmp_path)
    assert not path.exists()


OWN = """
import tempfile, time
from asr_qat.leftovers import own_temporary_files
with own_temporary_files():
    tempfile.NamedTemporaryFile(prefix="of_a_library", delete=False)
    print("written", flush=True)
    time.sleep(60)
"""


def test_temporary_files_of_libraries_go_with_the_next_command(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    killed(child(OWN))
    (folder,) = tmp_path.iterdir()
    assert [path.name[:12] for path in folder.iterdir()] == ["of_a_library"]
    leftovers.remove_left_once.cache_clear()
    with own_temporary_files():
        (own,) = tmp_path.iterdir()
        assert own != folder
        assert tempfile.gettempdir() == os.environ["TMPDIR"] == str(own)
    assert not list(tmp_path.iterdir())
    assert (tempfile.gettempdir(), os.environ["TMPDIR"]) == (str(tmp_path), str(tmp_path))


def test_no_place_for_temporary_files(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "missing"))
    with own_temporary_files():
        assert tempfile.gettempdir() == str(tmp_path / "missing")
