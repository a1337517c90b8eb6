"""An executor of `concurrent.futures` whose jobs run on the nodes of a Ray cluster.

Ray has none of its own (github.com/ray-project/ray/issues/29456).
"""

import concurrent.futures
import contextlib
import logging
import os
import sys
from collections.abc import Callable
from typing import Any, TypeVar

import ray

from asr_qat.errors import UserError
from asr_qat.parallel.process import limit_threads

Result = TypeVar("Result")

RETRIES = 3  # of a job whose worker or node was lost


class RayExecutor(concurrent.futures.Executor):
    """Connects to a cluster, or starts one on this machine."""

    def __init__(self, address: str | None, fresh: bool = False):
        """Connect to a cluster.

        Args:
            address: see `ray.init`.
            fresh: each job has a process of its own.

        Raises:
            UserError: nothing answers there.
        """
        # Ray's sockets, of a new cluster, need a short name: not within a command's own folder.
        new = {} if address or os.environ.get("RAY_ADDRESS") else {"_temp_dir": "/tmp/ray"}
        try:
            ray.init(address, logging_level=logging.ERROR, log_to_driver=False, **new)
        except (ConnectionError, ValueError, RuntimeError) as error:
            reason = str(error).strip().splitlines()[0]
            raise UserError(f"--ray-address {address}: no cluster there: {reason}") from None
        most = {"max_calls": 1} if fresh else {}
        self._run = ray.remote(num_cpus=1, max_retries=RETRIES, **most)(_call)

    @property
    def cores(self) -> int:
        """Of all nodes of the cluster."""
        return max(1, int(ray.cluster_resources().get("CPU", 1)))

    def submit(
        self, fn: Callable[..., Result], /, *args: Any, **kwargs: Any
    ) -> "concurrent.futures.Future[Result]":
        """Run `fn` on some node, again where that node is lost."""
        place = os.getcwd(), sys.argv
        return _plain(self._run.remote(place, fn, args, kwargs).future())

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Disconnect; jobs that still run are ended."""
        ray.shutdown()


def _call(
    place: tuple[str, list[str]], fn: Callable[..., Result], args: tuple, kwargs: dict[str, Any]
) -> Result:
    """On a node: with one thread, in the folder and for the command that the jobs are of.

    Names of files are relative to that folder, and results name that command.
    """
    limit_threads()
    folder, sys.argv = place
    with contextlib.suppress(FileNotFoundError):  # of a node without: only full names hold there
        os.chdir(folder)
    return fn(*args, **kwargs)


def _plain(of_ray: "concurrent.futures.Future[Result]") -> "concurrent.futures.Future[Result]":
    """The same future with the errors that any other executor raises."""
    plain: concurrent.futures.Future[Result] = concurrent.futures.Future()

    def hand_on(done: "concurrent.futures.Future[Result]") -> None:
        error = done.exception()
        if error is None:
            plain.set_result(done.result())
        elif isinstance(error, ray.exceptions.RayTaskError):
            plain.set_exception(error.cause)
        elif isinstance(error, ray.exceptions.RayError):
            plain.set_exception(concurrent.futures.BrokenExecutor(str(error)))
        else:
            plain.set_exception(error)

    of_ray.add_done_callback(hand_on)
    return plain
