"""A WebSocket server for many live streams over one model.

The event loop only moves messages; workers recognise, see `tflite_export.runtime.live.workers`. At
most one message of a stream is with its worker, a few wait in a queue; beyond that the socket is
not read. Clients have places, see `tflite_export.runtime.live.places`.
"""

import asyncio
import contextlib
import http
import logging
import socket
import sys
import time
from collections.abc import AsyncIterator, Collection

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from asr_qat.errors import UserError
from tflite_export.runtime.live import messages, pages
from tflite_export.runtime.live.connections import Connections
from tflite_export.runtime.live.conversation import Conversation
from tflite_export.runtime.live.limits import Limits, client_address
from tflite_export.runtime.live.metrics import CONTENT_TYPE, Metrics
from tflite_export.runtime.live.places import CHECK_S, Places, RefusedError, Seat
from tflite_export.runtime.live.requests import Hosts, refusal
from tflite_export.runtime.live.worker_link import WorkerError
from tflite_export.runtime.live.workers import Workers

if sys.version_info >= (3, 11):
    from asyncio import timeout
else:
    from async_timeout import timeout

STREAM = "/stream"
QUEUE = 4  # messages of a stream that wait, at most
# Bytes that the system keeps of a stream, in and out, and so how late a client learns that it is
# too fast and the server that nobody reads. The system takes twice as many.
SOCKET_BYTES = 64 * 1024
OPEN_S = 5.0  # for a client to ask for something
CLOSE_S = 1.0  # for a client to answer a close

_log = logging.getLogger(__name__)
# Of websockets, whose greetings and farewells are no news, nor is what a stranger says who speaks
# no HTTP; an error in a stream is.
_LOGGER = logging.getLogger(f"{__name__}.websockets")
_LOGGER.setLevel(logging.WARNING)
_LOGGER.addFilter(lambda record: "opening handshake failed" not in record.getMessage())


class LiveServer:
    """Serves one model.

    Args:
        workers: that recognise; the server starts and ends them.
        limits: for all clients and each.
        about: what the page says of the model; None: its name and how far it sees ahead.
        name: of the model.
        hosts: names that `Host` may have, see `Hosts`.
        proxies: addresses whose `X-Forwarded-For` is believed.
    """

    def __init__(
        self,
        workers: Workers,
        limits: Limits,
        about: str | None = None,
        name: str = "model",
        hosts: Collection[str] = (),
        proxies: Collection[str] = (),
    ):
        self._workers, self._limits = workers, limits
        self._about, self._name = about, name
        self._host_names, self._proxies = hosts, {client_address(each) for each in proxies}
        self._hosts = Hosts(hosts, ())
        self._places = Places(limits)
        self._closing: set[asyncio.Task[None]] = set()
        self._draining = False
        self.metrics = metrics = Metrics()
        self._connections = Connections(
            limits.max_connections, lambda reason: metrics.refused.labels(reason).inc()
        )
        metrics.gauge("streams", "streams that have a place", lambda: self._places.taken)
        metrics.gauge("waiting", "clients that wait for a place", lambda: self._places.waiting)
        metrics.gauge("queue", "steps of recognition that wait", lambda: workers.queue)
        metrics.gauge("workers", "workers that recognise", lambda: workers.alive)
        metrics.gauge("restarts", "workers that ended and began again", lambda: workers.restarts)

    @property
    def streams(self) -> int:
        """How many have a place now."""
        return self._places.taken

    @contextlib.asynccontextmanager
    async def listening(self, host: str, port: int) -> AsyncIterator[int]:
        """Serve within the block; gives the port, which the system chooses if `port` is 0.

        Raises:
            UserError: the address cannot be used, or the model.
        """
        async with self._workers.started():
            try:
                server = await self._listen(host, port)
            except (OSError, OverflowError) as error:
                reason = getattr(error, "strerror", None) or error
                raise UserError(f"cannot listen on {host}, port {port}: {reason}") from None
            self._hosts = Hosts(self._host_names, [s.getsockname()[0] for s in server.sockets])
            try:
                yield next(iter(server.sockets)).getsockname()[1]
            finally:
                self._draining = True
                server.close(code=messages.GOING_AWAY, reason="the server stops")
                try:
                    async with timeout(CLOSE_S):
                        await server.wait_closed()
                except asyncio.TimeoutError:
                    self._connections.abort()
                    await server.wait_closed()

    async def drain(self) -> None:
        """No new streams from now on; returns when those that run have ended, or their time has."""
        self._draining = True
        self._places.close()
        end = time.monotonic() + self._limits.drain_s
        _log.info(
            "no new streams; those that run, %d, have %g s to end",
            *(self.streams, self._limits.drain_s),
        )
        while self.streams and time.monotonic() < end:
            await asyncio.sleep(CHECK_S)
        if self.streams:
            _log.warning("%d streams have not ended: they are broken off", self.streams)

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
            process_response=_protect,
            create_connection=self._connections.kind(),
            compression=None,
            logger=_LOGGER,
            max_size=self._limits.max_message_bytes,
            max_queue=QUEUE,
            ping_interval=None,
            open_timeout=OPEN_S,
            close_timeout=CLOSE_S,
        )
        for listener in server.sockets:  # those of clients inherit it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
        return server

    def _request(self, connection: ServerConnection, request: Request) -> Response | None:
        """The answer to a request; None for that of a stream."""
        path, status = request.path.partition("?")[0], http.HTTPStatus
        method = getattr(request, "method", "GET")  # websockets 15 takes no other
        refused = refusal(method, request.headers, self._hosts, path == STREAM)
        if refused is not None:
            self.metrics.refused.labels(refused.reason).inc()
            allow = {"Allow": "GET"} if refused.reason == "method" else {}
            return pages.text(refused.status, refused.text, **allow)
        if path == "/healthz":
            healthy, state = self._health()
            return pages.text(status.OK if healthy else status.SERVICE_UNAVAILABLE, f"{state}\n")
        if path == "/metrics":
            content = self.metrics.text(self._workers.processes())
            return pages.text(status.OK, content, CONTENT_TYPE)
        if path == "/about":
            return pages.text(status.OK, self._about_model())
        if path != STREAM:
            return pages.page(path)
        if self._draining:
            self.metrics.refused.labels("draining").inc()
            return pages.text(status.SERVICE_UNAVAILABLE, "the server stops\n")
        return None

    def _health(self) -> tuple[bool, str]:
        if self._draining:
            return False, "the server stops"
        return (True, "ok") if self._workers.alive else (False, "no worker")

    def _about_model(self) -> str:
        if self._about is not None:
            return self._about
        info = self._workers.info
        first, second = f"{info.first_ms:g} ms", f"{info.second_ms:g} ms"
        return f"{self._name}: words wait for {first} of sound, their correction for {second}"

    async def _stream(self, client: ServerConnection) -> None:
        seat = Seat(self._address(client), lambda: self._lose(client))
        try:
            code, reason = await self._with_place(client, seat)
        except ConnectionClosed:  # at any time, and nobody else minds
            code, reason = client.close_code or messages.LOST, ""
        except WorkerError as error:
            _log.error("a stream is broken off: %s", error)
            code, reason = messages.BROKEN, "an error of the server: connect again"
        finally:  # before the client has answered: it may take its time
            self._places.leave(seat)
        if seat.pace is not None:
            self.metrics.ended.labels(code if code in messages.CODES else "other").inc()
        await _close(client, code, reason)

    async def _with_place(self, client: ServerConnection, seat: Seat) -> tuple[int, str]:
        """The code and the reason to close with."""
        try:
            self._places.enter(seat)
            await self._wait(client, seat)
        except RefusedError as error:
            self.metrics.refused.labels(error.reason).inc()
            return messages.GOING_AWAY if self._draining else messages.FULL, str(error)
        assert seat.pace is not None
        self.metrics.begun.inc()
        with self._workers.stream() as stream:
            return await Conversation(
                client, seat.pace, stream, self._workers.info, self._limits, self.metrics
            ).run()

    async def _wait(self, client: ServerConnection, seat: Seat) -> None:
        """Until there is a place, or the client has gone."""
        if seat.given.done():
            return
        place = asyncio.create_task(self._places.wait(seat))
        gone = asyncio.create_task(client.wait_closed())
        try:
            await asyncio.wait([place, gone], return_when=asyncio.FIRST_COMPLETED)
            if not place.done():
                raise RefusedError("gone", "the client has gone")
            await place
        finally:
            place.cancel()
            gone.cancel()

    def _lose(self, client: ServerConnection) -> None:
        """Its place is another's now."""
        reason = "too little audio, and another client waits"
        task = asyncio.create_task(_close(client, messages.SLOW, reason))
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _address(self, client: ServerConnection) -> str:
        """Of the client; behind a proxy that is believed, what that says."""
        own = client_address(str(client.remote_address[0]))
        if own in self._proxies and client.request is not None:
            said = ",".join(client.request.headers.get_all("X-Forwarded-For"))
            if said:
                return client_address(said.rpartition(",")[2].strip())
        return own


def _protect(_: ServerConnection, __: Request, response: Response) -> None:
    pages.protect(response.headers)


async def _close(client: ServerConnection, code: int, reason: str) -> None:
    """Close in good order, or not if the client does not read: the library would wait for it."""
    try:
        async with timeout(CLOSE_S):
            await client.close(code, reason)
    except asyncio.TimeoutError:
        client.transport.abort()
