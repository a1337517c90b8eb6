"""The workers of a server: each recognises some of the streams, the most urgent audio first.

Python runs one thread at a time, and more of a step is spent in Python than in LiteRT: several
workers are processes, each with the model. A stream stays with one. A worker that dies takes its
streams with it, and another takes its place.
"""

import asyncio
import collections
import contextlib
import heapq
import itertools
import logging
import multiprocessing
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from multiprocessing.connection import Connection
from typing import Any

from asr_qat.errors import UserError
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.live_model import LiveModel
from tflite_export.runtime.live.messages import SAMPLE_BYTES
from tflite_export.runtime.live.worker import (
    Answer,
    Finish,
    Forget,
    Hear,
    Job,
    ModelInfo,
    run_process,
    work,
)

AHEAD = 2  # jobs that a worker has at most: one at work, and the next
RESTART_S = 1.0  # between the end of a process and the start of the one in its place
END_S = 0.5  # for a worker to end by itself

_log = logging.getLogger(__name__)


class WorkerError(Exception):
    """A stream cannot go on: its worker failed at a job, or ended."""


class Workers:
    """Some workers that load the same model.

    Args:
        load: gives the model. With processes it is called in each, and must be picklable.
        endpoint: when an utterance ends.
        count: of processes; None for one thread of this process.

    Attributes:
        info: of the model, when they have started.
        restarts: workers that took the place of others.
    """

    def __init__(
        self, load: Callable[[], LiveModel], endpoint: EndpointConfig, count: int | None = None
    ):
        self._start = _Process if count else _Thread
        self._given = load, endpoint
        self._workers: list[_Worker | None] = [None] * (count or 1)
        self._restarts: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count()
        self.restarts = 0
        self.info: ModelInfo

    @contextlib.asynccontextmanager
    async def started(self) -> AsyncIterator["Workers"]:
        """They are there within the block.

        Raises:
            UserError: the model cannot be loaded.
        """
        try:
            starts = [self._begin(place) for place in range(len(self._workers))]
            self.info = (await asyncio.gather(*starts))[0]
            yield self
        finally:
            for task in self._restarts:
                task.cancel()
            running = [worker for worker in self._workers if worker is not None]
            self._workers = [None] * len(self._workers)
            for worker in running:
                worker.close()
            await asyncio.gather(*(asyncio.to_thread(worker.end) for worker in running))

    @property
    def alive(self) -> int:
        """How many are at work."""
        return sum(worker is not None for worker in self._workers)

    @property
    def queue(self) -> int:
        """Jobs that no worker has taken up."""
        return sum(worker.queue for worker in self._workers if worker is not None)

    def processes(self) -> dict[int, int]:
        """By the number of a worker its process, where it has one of its own."""
        pids = {at: worker.pid for at, worker in enumerate(self._workers) if worker is not None}
        return {at: pid for at, pid in pids.items() if pid is not None}

    @contextlib.contextmanager
    def stream(self) -> Iterator["WorkerStream"]:
        """A new stream, with the worker that has the fewest.

        Raises:
            WorkerError: none is alive.
        """
        alive = [worker for worker in self._workers if worker is not None]
        if not alive:
            raise WorkerError("no worker: they are starting again")
        worker, number = min(alive, key=lambda worker: worker.streams), next(self._numbers)
        worker.streams += 1
        try:
            yield WorkerStream(worker, number, self.info)
        finally:
            worker.streams -= 1
            worker.submit(time.perf_counter(), Forget(number))

    async def _begin(self, place: int) -> ModelInfo:
        worker = self._start(*self._given)
        self._workers[place] = worker  # so that it is ended whatever happens
        return await worker.ready(lambda: self._ended(place, worker))

    def _ended(self, place: int, worker: "_Worker") -> None:
        """A worker is gone without having been told to."""
        if self._workers[place] is not worker:
            return
        self._workers[place] = None
        _log.error("a worker ended: its streams are broken off, another one starts")
        task = asyncio.create_task(self._again(place))
        self._restarts.add(task)
        task.add_done_callback(self._restarts.discard)

    async def _again(self, place: int) -> None:
        while self._workers[place] is None:
            await asyncio.sleep(RESTART_S)
            try:
                await self._begin(place)
                self.restarts += 1
            except UserError as error:
                self._workers[place] = None
                _log.error("a worker does not start: %s", error)


class WorkerStream:
    """One stream at its worker."""

    def __init__(self, worker: "_Worker", number: int, info: ModelInfo):
        self._worker, self._number, self._info = worker, number, info

    async def hear(self, message: bytes, arrived: float, due: float) -> AsyncIterator[list[str]]:
        """Recognise a message in turns, between which others have theirs: events as JSON.

        Args:
            message: 16-bit samples.
            arrived: when it did, on `time.perf_counter`.
            due: when its beginning is, on the same clock: the earliest comes first.

        Raises:
            WorkerError: the stream cannot go on.
        """
        size = self._info.turn_samples * SAMPLE_BYTES
        whole = len(message) // SAMPLE_BYTES
        for at in range(0, len(message), size):
            piece = message[at : at + size]
            end = at + len(piece)
            samples = whole if end == len(message) else 0
            until = due + end / SAMPLE_BYTES / self._info.sample_rate
            yield await self._worker.submit(until, Hear(self._number, piece, arrived, samples))

    async def finish(self, arrived: float | None = None) -> list[str]:
        """The last words; `arrived`: when the end did, on `time.perf_counter`."""
        return await self._worker.submit(time.perf_counter(), Finish(self._number, arrived))


class _Worker:
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
        if self._gone is None:
            _fail(future, "the worker ended")
        else:
            heapq.heappush(self._queue, (due, next(self._order), job, future))
            self._feed()
        return future

    def close(self) -> None:
        """Tell it to end."""
        if self._gone is not None:
            self._stop()
        self._connection.close()

    def end(self) -> None:
        """Wait until it has."""

    def _feed(self) -> None:
        while self._queue and len(self._given) < AHEAD:
            _, _, job, future = heapq.heappop(self._queue)
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


class _Thread(_Worker):
    """A worker in this process."""

    def __init__(self, load: Callable[[], LiveModel], endpoint: EndpointConfig):
        ours, theirs = multiprocessing.Pipe()
        super().__init__(ours)
        arguments = load(), endpoint, theirs
        self._thread = threading.Thread(target=work, args=arguments, name="recogniser", daemon=True)
        self._thread.start()

    def end(self) -> None:
        """As in `_Worker`."""
        self._thread.join()


class _Process(_Worker):
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
        """As in `_Worker`."""
        return self._process.pid

    def end(self) -> None:
        """As in `_Worker`."""
        self._process.join(END_S)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _fail(future: "asyncio.Future[list[str]]", why: str) -> None:
    """Nobody may wait for it: that is no error then."""
    if not future.done():
        future.set_exception(WorkerError(why))
        future.exception()
