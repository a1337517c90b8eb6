"""Who has a place at the server, and who waits for one."""

import asyncio
import time
from collections.abc import Callable

from tflite_export.runtime.live.limits import Limits
from tflite_export.runtime.live.pace import Pace

CHECK_S = 0.1  # between looks whether somebody fell behind, while others wait


class RefusedError(Exception):
    """There is no place; says why.

    Attributes:
        reason: in one word.
    """

    def __init__(self, reason: str, text: str):
        super().__init__(text)
        self.reason = reason


class Seat:
    """The claim of one client.

    Args:
        address: of the client, see `client_address`.
        lost: called when the place is given to another.

    Attributes:
        given: done when it has a place.
        pace: of its stream, from when it has a place.
    """

    def __init__(self, address: str, lost: Callable[[], object]):
        self.address, self.lost = address, lost
        self.given: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.pace: Pace | None = None


class Places:
    """Gives places, at once or when one is free, and takes them from clients that do no work.

    Who waits gets the place of a client that is behind the floor of its pace, the furthest one
    first. Among those who wait an address with fewer places comes first, else who came first.

    Args:
        limits: of the server.
        clock: seconds.
    """

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.perf_counter):
        self._limits, self._clock = limits, clock
        self._taken: list[Seat] = []
        self._waiting: list[Seat] = []
        self._closed = False

    @property
    def taken(self) -> int:
        """How many places there are no more."""
        return len(self._taken)

    @property
    def waiting(self) -> int:
        """How many wait for one."""
        return len(self._waiting)

    def enter(self, seat: Seat) -> None:
        """Ask for a place: `seat.given` tells.

        Raises:
            RefusedError: too many wait already, or too many of this address.
        """
        if self._closed:
            raise _stopping()
        own = sum(other.address == seat.address for other in self._waiting)
        if len(self._waiting) >= self._limits.max_waiting:
            raise RefusedError("queue", f"{self._full(seat)}, and too many wait: try later")
        if own >= self._limits.waiting_of(seat.address):
            raise RefusedError("address", f"{self._full(seat)}, and others of it wait: try later")
        self._waiting.append(seat)
        self.assign()

    async def wait(self, seat: Seat) -> None:
        """Until it has a place.

        Raises:
            RefusedError: it had to wait for too long, or nobody is let in any more.
        """
        end = self._clock() + self._limits.wait_s
        while not seat.given.done():
            left = end - self._clock()
            if left <= 0:
                raise RefusedError("full", f"{self._full(seat)}: try later")
            await asyncio.wait([seat.given], timeout=min(CHECK_S, left))
            self.assign()
        seat.given.result()

    def leave(self, seat: Seat) -> None:
        """Give the place back, or wait no longer; nothing if it was taken away before."""
        for seats in (self._taken, self._waiting):
            if seat in seats:
                seats.remove(seat)
        self.assign()

    def close(self) -> None:
        """Let nobody in any more."""
        self._closed = True
        for seat in self._waiting:
            seat.given.set_exception(_stopping())
        self._waiting.clear()

    def assign(self) -> None:
        """Give what can be given now."""
        for seat in sorted(self._waiting, key=lambda seat: len(self._of(seat.address))):
            if self._make_room(seat):
                self._waiting.remove(seat)
                self._taken.append(seat)
                seat.pace = Pace(self._clock)
                seat.given.set_result(None)

    def _make_room(self, seat: Seat) -> bool:
        """Whether there is a place for it, if need be one that is taken away."""
        own = self._of(seat.address)
        if len(own) >= self._limits.places_of(seat.address):
            rivals = own
        elif len(self._taken) >= self._limits.max_streams:
            rivals = self._taken
        else:
            return True
        behind = [(other.pace.credit, at) for at, other in enumerate(rivals) if other.pace]
        credit, at = min(behind)
        if credit >= 0:
            return False
        loser = rivals[at]
        self._taken.remove(loser)
        loser.lost()
        return True

    def _of(self, address: str) -> list[Seat]:
        return [seat for seat in self._taken if seat.address == address]

    def _full(self, seat: Seat) -> str:
        most, own = self._limits.max_streams, self._limits.places_of(seat.address)
        if own < most and len(self._of(seat.address)) >= own:
            return f"all {own} streams of {seat.address} are in use"
        return f"all {most} streams are in use"


def _stopping() -> RefusedError:
    return RefusedError("draining", "the server stops")
