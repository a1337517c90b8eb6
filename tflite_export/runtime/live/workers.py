"""The workers of a server: each recognises some of the streams, the most urgent audio first.

Python runs one thread at a time, and more of a step is spent in Python than in LiteRT: several
workers are processes, each with the model. A stream stays with one. A worker that dies takes its
streams with it, and another takes its place.
"""

import asyncio
import contextlib
import itertools
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator

from asr_qat.errors import UserError
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.live_model import LiveModel
from tflite_export.runtime.live.messages import SAMPLE_BYTES
from tflite_export.runtime.live.worker import Finish, Forget, Hear, ModelInfo
from tflite_export.runtime.live.worker_link import (
    ProcessWorker,
    ThreadWorker,
    Worker,
    WorkerError,
)

RESTART_S = 1.0  # between the end of a process and the start of the one in its place

_log = logging.getLogger(__name__)


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
        self._start = ProcessWorker if count else ThreadWorker
        self._given = load, endpoint
        self._count = count or 1
        self._workers: list[Worker] = []
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
            for _ in range(self._count):
                self._workers.append(self._start(*self._given))
            self.info = (await asyncio.gather(*map(self._ready, self._workers)))[0]
            yield self
        finally:
            for task in self._restarts:
                task.cancel()
            for worker in self._workers:
                worker.close()
            await asyncio.gather(*(asyncio.to_thread(worker.end) for worker in self._workers))

    @property
    def alive(self) -> int:
        """How many are at work."""
        return sum(worker.at_work for worker in self._workers)

    @property
    def queue(self) -> int:
        """Jobs that no worker has taken up."""
        return sum(worker.queue for worker in self._workers)

    def processes(self) -> dict[int, int]:
        """By the number of a worker its process, where it has one of its own."""
        pids = {at: worker.pid for at, worker in enumerate(self._workers)}
        return {at: pid for at, pid in pids.items() if pid is not None}

    @contextlib.contextmanager
    def stream(self) -> Iterator["WorkerStream"]:
        """A new stream, with the worker that has the fewest.

        Raises:
            WorkerError: none is alive.
        """
        alive = [worker for worker in self._workers if worker.at_work]
        if not alive:
            raise WorkerError("no worker: they are starting again")
        worker, number = min(alive, key=lambda worker: worker.streams), next(self._numbers)
        worker.streams += 1
        try:
            yield WorkerStream(worker, number, self.info)
        finally:
            worker.streams -= 1
            worker.submit(time.perf_counter(), Forget(number))

    async def _ready(self, worker: Worker) -> ModelInfo:
        return await worker.ready(lambda: self._ended(worker))

    def _ended(self, worker: Worker) -> None:
        """A worker is gone without having been told to."""
        _log.error("a worker ended: its streams are broken off, another one starts")
        task = asyncio.create_task(self._replace(worker))
        self._restarts.add(task)
        task.add_done_callback(self._restarts.discard)

    async def _replace(self, worker: Worker) -> None:
        while not worker.at_work:
            await asyncio.gather(asyncio.sleep(RESTART_S), asyncio.to_thread(worker.end))
            place = self._workers.index(worker)
            try:
                worker = self._workers[place] = self._start(*self._given)
                await self._ready(worker)
                self.restarts += 1
            except (UserError, OSError) as error:
                _log.error("a worker does not start: %s", error)


class WorkerStream:
    """One stream at its worker."""

    def __init__(self, worker: Worker, number: int, info: ModelInfo):
        self._worker, self._number, self._info = worker, number, info

    async def hear(
        self, message: bytes, arrived: float, due: float
    ) -> AsyncIterator[tuple[list[str], float]]:
        """Recognise a message in turns, between which others have theirs.

        Gives for each turn its events as JSON, and seconds of audio.

        Args:
            message: 16-bit samples.
            arrived: when it did, on `time.perf_counter`.
            due: when its beginning is, on the same clock: the earliest comes first.

        Raises:
            WorkerError: the stream cannot go on.
        """
        rate = self._info.sample_rate * SAMPLE_BYTES  # bytes a second
        size, whole = self._info.turn_samples * SAMPLE_BYTES, len(message) // SAMPLE_BYTES
        for at in range(0, len(message), size):
            piece = message[at : at + size]
            end = at + len(piece)
            samples = whole if end == len(message) else 0
            job = Hear(self._number, piece, arrived, samples)
            yield await self._worker.submit(due + end / rate, job), len(piece) / rate

    async def finish(self, arrived: float | None = None) -> list[str]:
        """The last words; `arrived`: when the end did, on `time.perf_counter`."""
        return await self._worker.submit(time.perf_counter(), Finish(self._number, arrived))
