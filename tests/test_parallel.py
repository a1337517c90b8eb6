"""Jobs in several processes: all are done once, whatever becomes of single workers."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from asr_qat.errors import UserError
from asr_qat.parallel.process import THREADS
from asr_qat.parallel.run_jobs import run_jobs
from asr_qat.parallel.workers import Workers

pytestmark = pytest.mark.runtime
TWO = Workers(number=2)


def square(number):
    return number * number


def threads(_):
    return [os.environ.get(name) for name in THREADS], "numpy" in sys.modules


def die_once(job):
    """A worker that is killed the first time that it is given this job."""
    path, number = job
    if number == 3:
        try:
            Path(path).touch(exist_ok=False)
        except FileExistsError:
            return number
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def die(number):
    if number == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def complain(number):
    raise UserError(f"{number}: wrong")


def sleep(_):
    time.sleep(600)


@pytest.mark.parametrize("workers", [Workers(), TWO], ids=["this process", "two"])
def test_every_job_is_done_once(workers):
    jobs = list(range(20))
    assert sorted(run_jobs(square, jobs, workers)) == [(n, n * n) for n in jobs]


def test_workers_have_one_thread_before_they_import_numpy():
    ((_, found),) = run_jobs(threads, [None], TWO)
    assert found == (["1"] * len(THREADS), False)


def test_jobs_of_a_killed_worker_go_to_a_new_one(tmp_path, caplog):
    jobs = [(str(tmp_path / "died"), number) for number in range(8)]
    assert sorted(number for _, number in run_jobs(die_once, jobs, TWO)) == list(range(8))
    (message,) = caplog.messages
    assert message.startswith("a worker was killed: ")


def test_a_job_that_kills_every_worker_ends_the_run():
    done = []
    with pytest.raises(
        UserError, match="killed 3 times in a row, with 1 jobs left, the first .* 1:"
    ):
        done.extend(job for job, _ in run_jobs(die, list(range(4)), TWO))
    assert sorted(done) == [0, 2, 3]


@pytest.mark.parametrize("workers", [Workers(), TWO], ids=["this process", "two"])
def test_what_a_job_raises_is_raised_here(workers):
    with pytest.raises(UserError, match="^0: wrong$"):
        list(run_jobs(complain, [0], workers))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"executor": "threads"}, "--executor threads: choose one of processes, ray"),
        ({"number": 0}, "--workers 0: expected 1 or more"),
        ({"ray_address": "auto"}, "--ray-address: is for --executor ray"),
    ],
)
def test_wrong_workers(values, complaint):
    with pytest.raises(UserError, match=complaint):
        Workers(**values)
