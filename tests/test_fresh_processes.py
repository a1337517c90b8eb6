"""An executor whose jobs have a process each: retried, isolated, interrupted."""

import concurrent.futures
import multiprocessing
import os
import signal
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import pytest

from asr_qat.errors import UserError
from asr_qat.parallel.fresh_processes import ATTEMPTS, FreshProcesses
from asr_qat.parallel.process import THREADS
from asr_qat.parallel.workers import Workers

pytestmark = pytest.mark.runtime


def who(_=None):
    return os.getpid(), [os.environ.get(name) for name in THREADS]


def die(times: int, marks: str):
    """Killed the first times that it runs; the number of runs."""
    runs = len(list(Path(marks).iterdir())) + 1
    (Path(marks) / str(runs)).touch()
    if runs <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return runs


def work_until_interrupted(begun: str, saved: str):
    try:
        Path(begun).touch()
        time.sleep(600)
    except KeyboardInterrupt:
        time.sleep(0.2)
        Path(saved).touch()
        raise


def complain():
    raise UserError("wrong")


@pytest.fixture
def executor():
    opened = Workers(number=2, fresh=True).open()
    assert (opened.number, opened.given) == (2, 2)
    yield opened.executor
    opened.executor.shutdown(cancel_futures=True)


def test_each_job_has_a_process_of_one_thread(executor):
    found = list(executor.map(who, range(3)))
    assert len({process for process, _ in found} | {os.getpid()}) == 4
    assert all(threads == ["1"] * len(THREADS) for _, threads in found)
    with pytest.raises(UserError, match="^wrong$"):
        executor.submit(complain).result()


def test_a_killed_job_begins_again_and_disturbs_no_other(executor, tmp_path, caplog):
    for name in ("once", "always"):
        (tmp_path / name).mkdir()
    once = executor.submit(die, 1, str(tmp_path / "once"))
    always = executor.submit(die, ATTEMPTS, str(tmp_path / "always"))
    other = executor.submit(who)
    assert once.result() == 2
    with pytest.raises(BrokenProcessPool, match=f"was killed {ATTEMPTS} times"):
        always.result()
    assert other.result()[0] != os.getpid()
    assert len(list((tmp_path / "always").iterdir())) == ATTEMPTS
    assert set(caplog.messages) == {"a process was killed: its job begins again"}
    assert len(caplog.messages) == 1 + ATTEMPTS - 1


def test_what_runs_is_interrupted_when_all_is_cancelled(tmp_path):
    executor = FreshProcesses(1)
    begun, saved = tmp_path / "begun", tmp_path / "saved"
    running = executor.submit(work_until_interrupted, str(begun), str(saved))
    waiting = executor.submit(who)
    end = time.monotonic() + 30
    while not begun.exists():
        assert time.monotonic() < end
        time.sleep(0.01)
    executor.shutdown(cancel_futures=True)
    assert saved.exists() and waiting.cancelled()
    assert isinstance(running.exception(), concurrent.futures.BrokenExecutor)
    assert not multiprocessing.active_children()


@pytest.mark.long
def test_on_ray_it_is_the_same(tmp_path, monkeypatch):
    """A process for each job, with one thread, in this folder; a killed job begins again."""
    pytest.importorskip("ray", reason="needs the extra ray")
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})  # of another folder
    monkeypatch.chdir(tmp_path)
    opened = Workers("ray", 1, cluster.address, fresh=True).open()
    try:
        found = [opened.executor.submit(who).result() for _ in range(2)]
        folder = opened.executor.submit(os.getcwd).result()
        Path("marks").mkdir()
        runs = opened.executor.submit(die, 1, "marks").result()
    finally:
        opened.executor.shutdown(cancel_futures=True)
        cluster.shutdown()
    assert len({process for process, _ in found} | {os.getpid()}) == 3
    assert all(threads == ["1"] * len(THREADS) for _, threads in found)
    assert (folder, runs) == (str(tmp_path), 2)
