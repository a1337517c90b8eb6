"""The open sockets of a server: not more than it can have, none that keeps it busy with trifles.

What a stream sends waits in its socket while the server does not read. Pings, which websockets
answers at once, and a heap of tiny messages in one piece do not: they would hold up all streams.
"""

import asyncio
import functools
import time
from collections.abc import Callable
from typing import Any, cast

from websockets.asyncio.server import ServerConnection
from websockets.frames import Frame, Opcode
from websockets.protocol import State

PIECE = 16 * 1024  # bytes that are taken in at once
SMALL = 64  # bytes of a message: 2 ms of speech; pings and the like count as small
BURST, PER_SECOND = 100, 50  # small ones that a client may send at once, and from then on
MOST_UNREAD = 1 << 20  # bytes that wait for a client to read them
CONTROL = (Opcode.CLOSE, Opcode.PING, Opcode.PONG)


class Connections:
    """Breaks connections off.

    When there are too many it is the oldest one that has not asked for anything: so who connects
    and says nothing keeps nobody out.

    Args:
        most: at the same time.
        refused: called with the reason for each that is broken off.
        clock: seconds.
    """

    def __init__(
        self,
        most: int,
        refused: Callable[[str], object],
        clock: Callable[[], float] = time.monotonic,
    ):
        self._most, self._refused, self._clock = most, refused, clock
        self._open: dict[ServerConnection, None] = {}  # in the order in which they came

    def kind(self) -> type[ServerConnection]:
        """What makes connections that are counted here, as their class does."""
        made = functools.partial(_Counted, self, self._clock)
        return cast(type[ServerConnection], made)  # which is all that is called

    def add(self, connection: ServerConnection) -> None:
        """One more."""
        self._open[connection] = None
        if len(self._open) > self._most:
            silent = (each for each in self._open if each.state is State.CONNECTING)
            self.break_off(next(silent), "connections")  # the new one at least

    def remove(self, connection: ServerConnection) -> None:
        """One less."""
        self._open.pop(connection, None)

    def break_off(self, connection: ServerConnection, reason: str) -> None:
        """Without a word: it would not be read."""
        self._refused(reason)
        connection.transport.abort()

    def abort(self) -> None:
        """End all of them."""
        for connection in list(self._open):
            connection.transport.abort()


class _Counted(ServerConnection):
    def __init__(
        self, owner: Connections, clock: Callable[[], float], *arguments: Any, **options: Any
    ):
        super().__init__(*arguments, **options)
        self._owner, self._now = owner, clock
        self._left, self._counted = float(BURST), clock()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._owner.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._owner.remove(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        for at in range(0, len(data), PIECE):
            super().data_received(data[at : at + PIECE])
            unread = self.transport.get_write_buffer_size() > MOST_UNREAD
            if unread or self._left < 0:
                self._owner.break_off(self, "unread" if unread else "trifles")
                return

    def process_event(self, event: Any) -> None:
        if isinstance(event, Frame) and (event.opcode in CONTROL or len(event.data) < SMALL):
            now = self._now()
            earned = (now - self._counted) * PER_SECOND
            self._left, self._counted = min(BURST, self._left + earned) - 1, now
        super().process_event(event)
