"""The server's side of a worker: jobs go to it in the order in which they are due."""

import asyncio
import collections
import heapq
import itertools
import multiprocessing
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from asr_qat.errors import UserError
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.live_model import LiveModel
from tflite_export.runtime.live.worker import Answer, Job, ModelInfo, run_process, work

AHEAD = 2  # jobs that a worker has at most: one at work, and the next
END_S = 0.5  # for a worker to end by itself


class WorkerError(Exception):
    """A stream cannot go on: its worker failed at a job, or ended."""


class Worker:
    """The side of the server.

    Attributes:
        streams: that are with it.
    """

    def __init__(self, connection: Connection):
        self._connection = connection
        self._loop = asyncio.get_running_loop()
        self._order = itertools.count()
        self._queue: list[tuple[float, int, Job, asyncio.Future[list[str]]]] = []
        self._given: collections.deque[asyncio.Future[list[str]]] = collections.deque()
        self._gone: Callable[[], object] | None = None  # what to call then; None: not at work
        self.streams = 0

    @property
    def at_work(self) -> bool:
        """Whether it has the model, and has not ended."""
        return self._gone is not None

    @property
    def queue(self) -> int:
        """Jobs that it has not taken up."""
        return len(self._queue)

    @property
    def pid(self) -> int | None:
        """Its process, if it is not this one."""
        return None

    async def ready(self, gone: Callable[[], object]) -> ModelInfo:
        """Wait until it has the model; `gone` is called when it ends later by itself.

        Raises:
            UserError: it cannot load the model.
        """
        try:
            said: ModelInfo | UserError = await asyncio.to_thread(self._connection.recv)
        except (EOFError, OSError):
            raise UserError("a worker ended while it loaded the model") from None
        if isinstance(said, UserError):
            raise said
        self._gone = gone
        self._loop.add_reader(self._connection.fileno(), self._answered)
        return said

    def submit(self, due: float, job: Job) -> asyncio.Future[list[str]]:
        """Do a job when none is due earlier: events as JSON. Fails with `WorkerError`."""
        future: asyncio.Future[list[str]] = self._loop.create_future()
        if not self.at_work:
            _fail(future, "the worker ended")
        else:
            heapq.heappush(self._queue, (due, next(self._order), job, future))
            self._feed()
        return future

    def close(self) -> None:
        """Tell it to end."""
        if self.at_work:
            self._stop()
        self._connection.close()

    def end(self) -> None:
        """Wait until it has."""

    def _feed(self) -> None:
        while self._queue and len(self._given) < AHEAD:
            _, _, job, future = heapq.heappop(self._queue)
            if future.cancelled():  # and so is the stream
                continue
            try:
                self._connection.send(job)
            except OSError:  # it is gone, which the reader sees next
                _fail(future, "the worker ended")
                return
            self._given.append(future)

    def _answered(self) -> None:
        try:
            answer: Answer = self._connection.recv()
        except (EOFError, OSError):
            gone = self._gone
            self._stop()
            self._connection.close()
            if gone is not None:
                gone()
            return
        future = self._given.popleft()
        if answer.error:
            _fail(future, answer.error)
        elif not future.done():  # nobody waits for one that is cancelled
            future.set_result(answer.texts)
        self._feed()

    def _stop(self) -> None:
        self._gone = None
        self._loop.remove_reader(self._connection.fileno())
        for future in (*self._given, *(entry[3] for entry in self._queue)):
            _fail(future, "the worker ended")
        self._given.clear()
        self._queue.clear()


class ThreadWorker(Worker):
    """A worker in this process."""

    def __init__(self, load: Callable[[], LiveModel], endpoint: EndpointConfig):
        ours, theirs = multiprocessing.Pipe()
        super().__init__(ours)
        arguments = load(), endpoint, theirs
        self._thread = threading.Thread(target=work, args=arguments, name="recogniser", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """As in `Worker`."""
        self._thread.join()


class ProcessWorker(Worker):
    """A worker in a process of its own, which knows nothing of this one."""

    def __init__(self, load: Callable[[], LiveModel], endpoint: EndpointConfig):
        context = multiprocessing.get_context("spawn")
        ours, theirs = context.Pipe()
        super().__init__(ours)
        arguments: tuple[Any, ...] = load, endpoint, theirs
        self._process = context.Process(target=run_process, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    @property
    def pid(self) -> int | None:
        """As in `Worker`."""
        return self._process.pid

    def end(self) -> None:
        """As in `Worker`."""
        self._process.join(END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _fail(future: "asyncio.Future[list[str]]", why: str) -> None:
    """Nobody may wait for it: that is no error then."""
    if not future.done():
        future.set_exception(WorkerError(why))
        future.exception()
