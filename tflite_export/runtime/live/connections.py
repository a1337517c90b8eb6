"""The open sockets of a server: not more than it can have."""

import asyncio
from collections.abc import Callable

from websockets.asyncio.server import ServerConnection
from websockets.protocol import State


class Connections:
    """Breaks a connection off when there are too many: the oldest that has not asked for anything.

    So who connects and says nothing keeps nobody out.

    Args:
        most: at the same time.
        refused: called for each that is broken off.
    """

    def __init__(self, most: int, refused: Callable[[], object]):
        self._most, self._refused = most, refused
        self._open: dict[ServerConnection, None] = {}  # in the order in which they came

    def kind(self) -> type[ServerConnection]:
        """The class for connections that are counted here."""
        connections = self

        class Counted(ServerConnection):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                super().connection_made(transport)
                connections.add(self)

            def connection_lost(self, exc: Exception | None) -> None:
                connections.remove(self)
                super().connection_lost(exc)

        return Counted

    def add(self, connection: ServerConnection) -> None:
        """One more."""
        self._open[connection] = None
        if len(self._open) > self._most:
            silent = (each for each in self._open if each.state is State.CONNECTING)
            self._refused()
            next(silent).transport.abort()  # the new one at least

    def remove(self, connection: ServerConnection) -> None:
        """One less."""
        self._open.pop(connection, None)

    def abort(self) -> None:
        """Break all of them off."""
        for connection in list(self._open):
            connection.transport.abort()
