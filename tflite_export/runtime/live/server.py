"""A WebSocket server for several live streams over one model.

The event loop only moves messages. All recognition happens in one worker thread, a step of one
stream after that of another, however long their messages are: LiteRT's interpreter is not for
several threads, and weights are there once. State belongs to the `Session` of a stream. At most one
message of a stream is with the worker, a few wait in a queue; beyond that the socket is not read.
"""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import http
import json
import logging
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any, TypeVar
from urllib.parse import urlsplit

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from asr_qat.errors import UserError
from tflite_export.runtime.live import messages
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.events import Event, event_message
from tflite_export.runtime.live.live_model import LiveModel
from tflite_export.runtime.live.pages import page
from tflite_export.runtime.live.session import Session

if sys.version_info >= (3, 11):
    from asyncio import timeout
else:
    from async_timeout import timeout

STREAM = "/stream"
QUEUE = 4  # messages of a stream that wait, at most
# Bytes that the system keeps of a stream, in and out, and so how late a client learns that it is
# too fast and the server that nobody reads. The system takes twice as many.
SOCKET_BYTES = 64 * 1024
CLOSE_S = 3.0  # for a client to answer a close

Result = TypeVar("Result")

# Of websockets, whose greetings and farewells are no news, nor is what a stranger says who speaks
# no HTTP; an error in a stream is.
_LOGGER = logging.getLogger(f"{__name__}.websockets")
_LOGGER.setLevel(logging.WARNING)
_LOGGER.addFilter(lambda record: "opening handshake failed" not in record.getMessage())


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a client may take.

    Attributes:
        max_streams: at the same time.
        max_message_bytes: of one message.
        idle_s: seconds without a message from the client, or without it taking one.
    """

    max_streams: int = 8
    max_message_bytes: int = 64 * 1024
    idle_s: float = 30.0


class LiveServer:
    """Serves one model.

    Args:
        model: shared by all streams.
        limits: for each client.
        endpoint: when an utterance ends.
        about: what the page says of the model.
    """

    def __init__(self, model: LiveModel, limits: Limits, endpoint: EndpointConfig, about: str = ""):
        self._model, self._limits, self._endpoint = model, limits, endpoint
        self._about = about
        self._worker = concurrent.futures.ThreadPoolExecutor(1, "recogniser")
        self._clients: set[ServerConnection] = set()

    @property
    def streams(self) -> int:
        """How many there are now."""
        return len(self._clients)

    @contextlib.asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[int]:
        """Serve within the block; gives the port, which the system chooses if `port` is 0.

        Raises:
            UserError: the address cannot be used.
        """
        try:
            server = await self._listen(host, port)
        except (OSError, OverflowError) as error:
            reason = getattr(error, "strerror", None) or error
            raise UserError(f"cannot listen on {host}, port {port}: {reason}") from None
        try:
            yield next(iter(server.sockets)).getsockname()[1]
        finally:
            server.close(code=messages.GOING_AWAY, reason="the server stops")
            try:
                async with timeout(CLOSE_S):
                    await server.wait_closed()
            except asyncio.TimeoutError:
                for client in self._clients:
                    client.transport.abort()
                await server.wait_closed()
            self._worker.shutdown()

    async def _listen(self, host: str, port: int) -> Server:
        server = await self._serve(host, port)
        ports = {listener.getsockname()[1] for listener in server.sockets}
        if len(ports) > 1:  # the system chose one for each address of the host
            server.close()
            await server.wait_closed()
            server = await self._serve(host, min(ports))
        return server

    async def _serve(self, host: str, port: int) -> Server:
        # No pings: after audio that waits, their answers would be late.
        server: Server = await serve(
            self._stream,
            host,
            port,
            process_request=self._request,
            compression=None,
            logger=_LOGGER,
            max_size=self._limits.max_message_bytes,
            max_queue=QUEUE,
            ping_interval=None,
            close_timeout=CLOSE_S,
        )
        for listener in server.sockets:  # those of clients inherit it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        return server

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        path = request.path.partition("?")[0]
        if path != STREAM:
            return page(path, self._about)
        # A page of another host, open in a browser that reaches this one, is no client.
        origin = request.headers.get("Origin")
        if origin and urlsplit(origin).netloc != request.headers.get("Host"):
            text = f"pages of {origin} may not use this server\n"
            return connection.respond(http.HTTPStatus.FORBIDDEN, text)
        return None

    async def _stream(self, client: ServerConnection) -> None:
        if self.streams >= self._limits.max_streams:
            await _close(client, messages.FULL, f"all {self.streams} streams are in use: try later")
            return
        self._clients.add(client)
        try:
            await _close(client, *await self._recognise(client))
        except ConnectionClosed:
            pass  # at any time, and nobody else minds
        finally:
            self._clients.remove(client)

    async def _recognise(self, client: ServerConnection) -> tuple[int, str]:
        """One stream from beginning to end. Returns the code and the reason to close with."""
        idle_s, arrived = self._limits.idle_s, time.perf_counter()
        session = await self._work(Session, self._model, self._endpoint)
        try:
            await self._send(client, [self._ready()])
            while True:
                try:
                    message, arrived = await self._receive(client, arrived)
                except asyncio.TimeoutError:
                    await self._send_events(client, await self._work(session.finish))
                    return messages.IDLE, f"no message for {idle_s:g} s"
                if isinstance(message, str):
                    messages.check_end(message)
                    await self._send_events(client, await self._work(session.finish, arrived))
                    await self._send(client, [messages.END])
                    return messages.DONE, ""
                turns = session.turns(messages.samples_of(message), arrived)
                while (events := await self._work(next, turns, None)) is not None:
                    await self._send_events(client, events)
        except messages.NotUnderstoodError as error:
            return messages.NOT_UNDERSTOOD, str(error)
        except asyncio.TimeoutError:
            return messages.NOT_READING, f"no message taken for {idle_s:g} s"

    async def _receive(self, client: ServerConnection, before: float) -> tuple[str | bytes, float]:
        """The next message and when it arrived; `before`: when the one before did.

        Audio that was there already waited for the one before. It came as long after that as
        its audio lasts, if the client sends at the pace of speech; just now, if it sends faster.
        """
        waited = asyncio.Event()
        asyncio.get_running_loop().call_soon(waited.set)  # not before this task has to wait
        async with timeout(self._limits.idle_s):
            message = await client.recv()
        now = time.perf_counter()
        if isinstance(message, str) or waited.is_set():
            return message, now
        samples = len(message) // messages.SAMPLE_BYTES
        return message, min(now, before + samples / self._model.front_end.sample_rate)

    def _ready(self) -> dict[str, Any]:
        return {
            "type": "ready",
            "sample_rate": self._model.front_end.sample_rate,
            "max_message_bytes": self._limits.max_message_bytes,
            "idle_s": self._limits.idle_s,
        }

    async def _work(self, function: Callable[..., Result], *arguments: Any) -> Result:
        """Call in the worker, when it is this stream's turn."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, function, *arguments)

    async def _send_events(self, client: ServerConnection, events: Iterable[Event]) -> None:
        await self._send(client, map(event_message, events))

    async def _send(self, client: ServerConnection, contents: Iterable[dict[str, Any]]) -> None:
        """Raise `asyncio.TimeoutError` if the client does not take them."""
        for content in contents:
            async with timeout(self._limits.idle_s):
                await client.send(json.dumps(content, ensure_ascii=False))


async def _close(client: ServerConnection, code: int, reason: str) -> None:
    """Close in good order, or not if the client does not read: the library would wait for it."""
    try:
        async with timeout(CLOSE_S):
            await client.close(code, reason)
    except asyncio.TimeoutError:
        client.transport.abort()
