"""Hostile clients in a process of their own."""

import contextlib
import multiprocessing
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection

from experiments.live.rough_clients import (
    Client,
    Deeds,
    asks,
    disconnects,
    floods,
    stalls,
    trickles,
    violates,
)

KINDS: dict[str, Client] = {
    "trickles": trickles,
    "stalls": stalls,
    "floods": floods,
    "disconnects": disconnects,
    "violates": violates,
    "asks": asks,
}
EIGHT = ("trickles", "trickles", "stalls", "floods", "floods", "disconnects", "violates", "asks")
# Those among the eight that send as much audio as anybody, and so have places of their own.
WITH_PLACES = 4
BEGIN_S = 1.0  # for them to take places before others come


class Done:
    """What they did, known after the block.

    Attributes:
        deeds: of each, by kind.
        cpu_s: processor time.
    """

    deeds: dict[str, tuple[Deeds, ...]]
    cpu_s: float


@contextlib.contextmanager
def beside(kinds: Sequence[str], address: tuple[str, int], audio: bytes) -> Iterator[Done]:
    """Run one client of each of these kinds within the block.

    Args:
        kinds: names in `KINDS`, maybe several times.
        address: of the server.
        audio: 16-bit samples that they may repeat.
    """
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_act, args=(kinds, address, audio, theirs), daemon=True)
    process.start()
    theirs.close()
    ours.recv()  # it has begun
    done = Done()
    try:
        time.sleep(BEGIN_S)
        yield done
        ours.send("stop")
        done.deeds, done.cpu_s = ours.recv()
    finally:
        ours.close()
        process.join()


def _act(
    kinds: Sequence[str], address: tuple[str, int], audio: bytes, connection: Connection
) -> None:
    stop, found = threading.Event(), [Deeds() for _ in kinds]

    def run(at: int) -> None:
        found[at] = KINDS[kinds[at]](*address, audio, stop)

    threads = [threading.Thread(target=run, args=[at]) for at in range(len(kinds))]
    for thread in threads:
        thread.start()
    connection.send("begun")
    with contextlib.suppress(EOFError):
        connection.recv()
    stop.set()
    for thread in threads:
        thread.join()
    deeds = {
        name: tuple(own for kind, own in zip(kinds, found, strict=True) if kind == name)
        for name in sorted(set(kinds))
    }
    with contextlib.suppress(OSError):
        connection.send((deeds, time.process_time()))
