"""How a stream keeps up with the pace of speech."""

import contextlib
import time
from collections.abc import Callable, Iterator

FLOOR = 0.5  # seconds of audio that a client owes for each second that it is waited for
GRACE_S = 1.0  # seconds of waiting that a client has at first
PATIENCE_S = 5.0  # and that it may save up
AHEAD_S = 1.0  # of its time that audio may come, before
FASTEST = 10  # times the pace of speech is what the server does at most


class Pace:
    """Accounts of one stream: what its client owes, and when its work is due.

    A client has a credit in seconds. Each second that the server waits for it, for its audio or
    for its reading, costs one; a second of audio earns `1 / FLOOR`, but not faster than time
    passes, so that nobody saves up with a burst. Time in which audio waits for the server costs
    nothing. Whose credit is below 0 is behind the floor.

    Its audio is due as a virtual clock says (Zhang, 1990): as long after its arrival as it lasts,
    or after the audio before it if that is later. So the work of a client that sends faster than
    speech is due later and later, and that of others comes before it. Nor is it done as fast as it
    comes: a busy processor would have less time for others even so.

    Args:
        clock: seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.perf_counter):
        self._clock = clock
        self._credit = GRACE_S
        self._heard = self._due = clock()
        self._waits_since: float | None = None

    @property
    def credit(self) -> float:
        """Seconds that the client may still be waited for."""
        waits = 0.0 if self._waits_since is None else self._clock() - self._waits_since
        return self._credit - waits

    @property
    def behind(self) -> bool:
        """Whether its audio is below the floor."""
        return self.credit < 0

    def rest_s(self, due: float, seconds: float) -> float:
        """How long to leave audio alone that is due then and lasts so long."""
        return seconds / FASTEST if due - self._clock() > AHEAD_S else 0.0

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """While the server waits for the client."""
        self._waits_since = self._clock()
        try:
            yield
        finally:
            self._credit, self._waits_since = self.credit, None

    def hear(self, seconds: float) -> float:
        """Audio came; gives when its beginning is due, on the clock."""
        now = self._clock()
        earned = min(seconds, now - self._heard) / FLOOR
        self._credit = min(PATIENCE_S, self._credit + earned)
        begin = max(now, self._due)
        self._heard, self._due = now, begin + seconds
        return begin
