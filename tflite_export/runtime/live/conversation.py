"""What the server and a client that has a place say to each other, from `ready` to the end."""

import asyncio
import contextlib
import json
import sys
import time
from collections.abc import Iterable

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State

from tflite_export.runtime.live import messages
from tflite_export.runtime.live.limits import Limits
from tflite_export.runtime.live.metrics import Metrics
from tflite_export.runtime.live.pace import Pace
from tflite_export.runtime.live.worker import ModelInfo
from tflite_export.runtime.live.workers import WorkerStream

if sys.version_info >= (3, 11):
    from asyncio import timeout
else:
    from async_timeout import timeout


class Conversation:
    """One stream.

    Args:
        client: it.
        pace: of the client.
        stream: at its worker.
        info: of the model.
        limits: for the client.
        metrics: of the server.
    """

    def __init__(
        self,
        client: ServerConnection,
        pace: Pace,
        stream: WorkerStream,
        info: ModelInfo,
        limits: Limits,
        metrics: Metrics,
    ):
        self._client, self._pace, self._stream = client, pace, stream
        self._info, self._limits, self._metrics = info, limits, metrics
        self._arrived = time.perf_counter()  # the last message did

    async def run(self) -> tuple[int, str]:
        """From beginning to end. Returns the code and the reason to close with.

        Raises:
            ConnectionClosed: by the client, or because it lost its place.
            WorkerError: the stream cannot go on.
        """
        idle_s = self._limits.idle_s
        try:
            await self._send([json.dumps(self._ready())])
            while True:
                try:
                    message = await self._receive()
                except asyncio.TimeoutError:
                    await self._send(await self._stream.finish())
                    return messages.IDLE, f"no message for {idle_s:g} s"
                if isinstance(message, str):
                    messages.check_end(message)
                    await self._send(await self._stream.finish(self._arrived))
                    await self._send([json.dumps(messages.END)])
                    return messages.DONE, ""
                messages.check_audio(message)
                await self._recognise(message)
                if self._pace.credit < -idle_s:
                    await self._send(await self._stream.finish())
                    return messages.SLOW, f"too little audio for {idle_s:g} s"
        except messages.NotUnderstoodError as error:
            return messages.NOT_UNDERSTOOD, str(error)
        except asyncio.TimeoutError:
            return messages.NOT_READING, f"no message taken for {idle_s:g} s"

    def _ready(self) -> dict[str, object]:
        return {
            "type": "ready",
            "sample_rate": self._info.sample_rate,
            "max_message_bytes": self._limits.max_message_bytes,
            "idle_s": self._limits.idle_s,
        }

    async def _receive(self) -> str | bytes:
        """The next message; notes when it arrived.

        Audio that was there already waited for the one before. It came as long after that as
        its audio lasts, if the client sends at the pace of speech; just now, if it sends faster.
        """
        waited = asyncio.Event()
        asyncio.get_running_loop().call_soon(waited.set)  # not before this task has to wait
        with self._pace.waiting():
            async with timeout(self._limits.idle_s):
                message = await self._client.recv()
        before, self._arrived = self._arrived, time.perf_counter()
        if not isinstance(message, str) and not waited.is_set():
            self._arrived = min(self._arrived, before + self._seconds(message))
        return message

    async def _recognise(self, message: bytes) -> None:
        seconds = self._seconds(message)
        due = self._pace.hear(seconds)
        done_s = 0.0
        async for texts, turn_s in self._stream.hear(message, self._arrived, due):
            if self._client.state is not State.OPEN:  # nobody wants the rest
                break
            await self._send(texts)
            done_s += turn_s
            if rest_s := self._pace.rest_s(due + done_s, turn_s):
                with contextlib.suppress(asyncio.TimeoutError):
                    async with timeout(rest_s):
                        await self._client.wait_closed()
        took = time.perf_counter() - self._arrived
        in_time = None if due - self._arrived > seconds else max(seconds, self._info.frame_s)
        self._metrics.chunk(seconds, took, in_time)

    async def _send(self, texts: Iterable[str]) -> None:
        """Raise `asyncio.TimeoutError` if the client does not take them."""
        for text in texts:
            with self._pace.waiting():
                async with timeout(self._limits.idle_s):
                    await self._client.send(text)

    def _seconds(self, message: bytes) -> float:
        return len(message) / messages.SAMPLE_BYTES / self._info.sample_rate
