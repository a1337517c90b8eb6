"""Who has a place at the live server, by a clock that the tests set."""

import asyncio

import pytest

pytest.importorskip("websockets")

from tflite_export.runtime.live.limits import Limits, client_address, is_loopback
from tflite_export.runtime.live.pace import AHEAD_S, FASTEST, FLOOR, GRACE_S, PATIENCE_S, Pace
from tflite_export.runtime.live.places import Places, RefusedError, Seat

CHUNK_S = 0.125  # exact in binary


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def in_loop(test):
    """Seats hold futures: run in an event loop, in which nothing waits."""

    def run():
        async def body():
            test(Clock())

        asyncio.run(body())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


class Client:
    """A client with a seat."""

    def __init__(self, places, address="127.0.0.1"):
        self.lost = 0
        self.seat = Seat(address, self._lose)
        places.enter(self.seat)

    def _lose(self):
        self.lost += 1

    @property
    def seated(self):
        return self.seat.given.done() and not self.lost


def speaks(clock, pace, seconds, rate=1.0):
    """Waits for a chunk, which holds `rate` times as much audio, again and again."""
    for _ in range(round(seconds / CHUNK_S)):
        with pace.waiting():
            clock.now += CHUNK_S
        pace.hear(rate * CHUNK_S)


@pytest.mark.parametrize("rate, behind", [(1.0, False), (0.51, False), (0.45, True), (0.0, True)])
def test_the_floor(rate, behind):
    clock = Clock()
    pace = Pace(clock)
    speaks(clock, pace, 30.0, rate)
    assert pace.behind == behind


def test_credit_is_counted_while_the_server_waits():
    clock = Clock()
    pace = Pace(clock)
    with pace.waiting():
        clock.now += GRACE_S
        assert not pace.behind
        clock.now += CHUNK_S
        assert pace.behind
    clock.now += 100.0  # the client waits for the server: costs nothing
    assert pace.credit == -CHUNK_S
    speaks(clock, pace, 100.0)
    assert pace.credit == PATIENCE_S


def test_a_burst_earns_no_more_than_time_that_passed():
    clock = Clock()
    pace = Pace(clock)
    pace.hear(1000.0)
    assert pace.credit == GRACE_S
    clock.now += 0.25
    pace.hear(1000.0)
    assert pace.credit == GRACE_S + 0.25 / FLOOR


def test_audio_is_due_when_it_would_be_spoken():
    clock = Clock()
    pace = Pace(clock)
    assert pace.hear(2.0) == 100.0
    assert pace.hear(2.0) == 102.0  # it came at the same time
    clock.now = 105.0
    assert pace.hear(2.0) == 105.0


def test_audio_that_comes_too_early_is_left_alone_for_a_while():
    clock = Clock()
    pace = Pace(clock)
    due = pace.hear(8.0)
    assert pace.rest_s(due + AHEAD_S, 0.5) == 0.0
    assert pace.rest_s(due + 2 * AHEAD_S, 0.5) == 0.5 / FASTEST
    clock.now += 3.0
    assert pace.rest_s(due + 2 * AHEAD_S, 0.5) == 0.0


@in_loop
def test_a_client_that_does_no_work_loses_its_place_to_one_that_waits(clock):
    places = Places(Limits(max_streams=2), clock)
    idle, busy = Client(places), Client(places)
    with idle.seat.pace.waiting():
        speaks(clock, busy.seat.pace, GRACE_S)
        good = Client(places)
        assert not good.seated and places.waiting == 1  # it has its grace
        speaks(clock, busy.seat.pace, CHUNK_S)
        places.assign()
    assert good.seated and busy.seated and idle.lost == 1
    assert (places.taken, places.waiting) == (2, 0)
    places.leave(idle.seat)
    assert places.taken == 2


@in_loop
def test_eight_clients_that_come_back_at_once_keep_nobody_out_for_long(clock):
    places = Places(Limits(max_streams=8), clock)
    hostile = [Client(places) for _ in range(8)]
    good, came, lost, waits = Client(places), clock.now, 0, []
    while not good.seated and clock.now < came + 10:
        for at, client in enumerate(hostile):
            if client.lost:
                lost += 1
                hostile[at] = Client(places)
            elif client.seated and len(waits) < len(hostile):
                waits.append(client.seat.pace.waiting())
                waits[-1].__enter__()  # and never sends a thing
        clock.now += CHUNK_S
        places.assign()
    assert GRACE_S < clock.now - came <= GRACE_S + CHUNK_S
    assert [client.lost for client in hostile].count(1) == 1 and lost == 0


@in_loop
def test_nobody_loses_a_place_that_nobody_wants(clock):
    places = Places(Limits(max_streams=2), clock)
    idle = Client(places)
    with idle.seat.pace.waiting():
        clock.now += 1000.0
        assert Client(places).seated and idle.seated


@in_loop
def test_an_address_has_its_share(clock):
    places = Places(Limits(max_streams=4, max_waiting=3), clock)
    many = [Client(places, "203.0.113.1") for _ in range(4)]
    assert [client.seated for client in many] == [True, True, False, False]
    with pytest.raises(RefusedError, match="all 2 streams of 203.0.113.1 are in use") as refused:
        Client(places, "203.0.113.1")
    assert refused.value.reason == "address"
    others = [Client(places, f"203.0.113.{last}") for last in (2, 3)]
    assert all(client.seated for client in others)
    late = Client(places, "203.0.113.4")
    with pytest.raises(RefusedError, match="all 4 streams are in use, and too many wait"):
        Client(places, "203.0.113.5")
    places.leave(others[0].seat)  # not for the first ones, whose address has two
    assert late.seated and not many[2].seated
    places.leave(many[0].seat)
    assert many[2].seated


@in_loop
def test_an_address_with_fewer_places_comes_first(clock):
    places = Places(Limits(max_streams=2), clock)
    first, second = Client(places, "::1"), Client(places, "::1")
    again, other = Client(places, "::1"), Client(places, "203.0.113.1")
    places.leave(first.seat)
    assert other.seated and not again.seated
    places.leave(second.seat)
    assert again.seated


@in_loop
def test_who_waits_and_goes_is_forgotten(clock):
    places = Places(Limits(max_streams=1), clock)
    first, gone, next_one = Client(places), Client(places), Client(places)
    places.leave(gone.seat)
    places.leave(first.seat)
    assert next_one.seated and places.waiting == 0


@in_loop
def test_nobody_is_let_in_while_the_server_stops(clock):
    places = Places(Limits(max_streams=1), clock)
    first, waiting = Client(places), Client(places)
    places.close()
    assert first.seated and waiting.seat.given.exception().reason == "draining"
    with pytest.raises(RefusedError, match="the server stops"):
        Client(places)


def test_a_wait_has_an_end():
    async def body():
        clock = Clock()
        places = Places(Limits(max_streams=1, wait_s=0.0), clock)
        Client(places)
        waiting = Client(places)
        with pytest.raises(RefusedError, match="all 1 streams are in use: try later"):
            await places.wait(waiting.seat)

    asyncio.run(body())


@pytest.mark.parametrize(
    "given, address",
    [
        ("203.0.113.7", "203.0.113.7"),
        (" 203.0.113.7 ", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("unknown", "unknown"),
    ],
)
def test_addresses(given, address):
    assert client_address(given) == address


def test_loopback():
    assert is_loopback("127.0.0.2") and is_loopback("::1")
    assert not any(map(is_loopback, ("203.0.113.7", "2001:db8:1:2::/64", "localhost", "")))


def test_places_of_an_address():
    assert Limits(max_streams=8).places_of("203.0.113.7") == 4
    assert Limits(max_streams=1).places_of("203.0.113.7") == 1
    assert Limits(max_streams=8, max_per_address=20).places_of("203.0.113.7") == 8
    assert Limits(max_streams=8, max_per_address=2).places_of("127.0.0.1") == 8
