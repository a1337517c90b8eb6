"""Who is let in by a real server, who is sent away, and how it ends."""

import contextlib
import logging
import socket
import threading

import pytest

pytest.importorskip("websockets")

from prometheus_client.parser import text_string_to_metric_families
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from experiments.live.rough_clients import BAD_REQUESTS, asks, frame, open_stream, violates
from tests.live_reference import speech
from tests.server_fixtures import (
    CHUNK,
    END,
    QUICK,
    answer,
    client,
    closing,
    converse,
    in_loop,
    running,
    slow_model,
    spoken,
    until,
)
from tflite_export.runtime.live import messages, pace, server, workers
from tflite_export.runtime.live.limits import Limits

ONE = Limits(max_streams=1)
GET = "GET /healthz HTTP/1.1"


def figures(address):
    """What the server counts, by name; those with a label by name and label."""
    text = answer(address, "GET /metrics HTTP/1.1", "Host: localhost")[2]
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    return {(s.name.removeprefix("asr_qat_"), *s.labels.values()): s.value for s in samples}


def plain_stream(address):
    host, port = address.split("/")[2].split(":")
    return contextlib.closing(open_stream(host, int(port)))


def test_a_client_that_sends_nothing_loses_its_place_to_one_that_waits(monkeypatch):
    monkeypatch.setattr(pace, "GRACE_S", 0.0)
    audio, events = spoken(1, 1.0)
    with running(ONE) as (address, _), client(address) as idle:
        assert converse(address, audio) == events
        code, reason, _ = closing(idle)
        assert (code, reason) == (messages.SLOW, "too little audio, and another client waits")


def test_it_keeps_it_while_nobody_waits(monkeypatch):
    monkeypatch.setattr(pace, "GRACE_S", 0.0)
    with running(ONE) as (address, live), client(address) as idle:
        until(lambda: figures(address)["waiting",] == 0)
        assert live.streams == 1
        idle.send(END)
        assert closing(idle)[0] == messages.DONE


def test_far_too_little_audio_is_closed_though_nobody_waits(monkeypatch):
    monkeypatch.setattr(pace, "GRACE_S", -1.0)  # as if it had been waited for
    with running(Limits(idle_s=0.9)) as (address, _), client(address) as stream:
        stream.send(b"\0\0")
        code, reason, _ = closing(stream)
        assert (code, reason) == (messages.SLOW, "too little audio for 0.9 s")


def test_who_violates_the_protocol_has_no_place_while_it_is_closed(monkeypatch):
    """It does not answer the close; another client has the place all the same."""
    monkeypatch.setattr(server, "CLOSE_S", 15.0)
    for wire in (frame(b"1"), b"\x81\x80\0\0\0\0", b"\x82\x01a"):
        with running(ONE) as (address, live), plain_stream(address) as plain:
            plain.sendall(wire)
            with client(address) as good:
                assert live.streams == 1
                good.send(END)
                assert closing(good)[0] == messages.DONE
            plain.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("hostile", [violates, asks])
def test_hostile_clients_find_a_server_that_goes_on(hostile):
    audio, events = spoken(2, 1.0)
    with running() as (address, _):
        host, port = address.split("/")[2].split(":")
        stop, found = threading.Event(), []
        thread = threading.Thread(
            target=lambda: found.append(hostile(host, int(port), bytes(100), stop))
        )
        thread.start()
        until(lambda: sum(v for (n, *_), v in figures(address).items() if n in COUNTED) >= 4)
        assert converse(address, audio) == events
        stop.set()
        thread.join(15)
        assert found[0].closed >= 2


COUNTED = ("refused_total", "streams_ended_total")


def test_bad_requests_are_refused_in_one_line():
    with running() as (address, _):
        for request, status in zip(BAD_REQUESTS, (400, 400, 421, 405), strict=False):
            found, headers, text = answer(address, *request.rstrip().split("\r\n"))
            assert (found, text.count("\n")) == (status, 1), request
            assert headers["x-content-type-options"] == "nosniff"
            assert (headers.get("allow") == "get") == (status == 405)
        counts = figures(address)
    assert [counts["refused_total", name] for name in ("origin", "host", "method")] == [2, 1, 1]


def test_answers_tell_browsers_to_be_careful():
    with running() as (address, _):
        for path in ("/", "/page.js", "/about", "/none", "/healthz", "/metrics", "/stream"):
            _, headers, _ = answer(address, f"GET {path} HTTP/1.1", "Host: localhost")
            assert "frame-ancestors 'none'" in headers["content-security-policy"], path
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "no-referrer"


def test_names_that_are_allowed():
    with running(hosts=["speech.example"]) as (address, _):
        assert answer(address, GET, "Host: speech.example:443")[0] == 200
        assert answer(address, GET, "Host: localhost")[0] == 200
        assert answer(address, GET, "Host: elsewhere.example")[0] == 421


def test_what_a_proxy_says_of_the_client_counts():
    limits = Limits(max_streams=4, max_per_address=1, wait_s=0.2)

    def via(*clients):
        return client(address, additional_headers={"X-Forwarded-For": ", ".join(clients)})

    with running(limits, proxies=["127.0.0.1"]) as (address, _):
        with via("203.0.113.1"), via("203.0.113.1", "203.0.113.2"), client(address):
            headers = {"X-Forwarded-For": "203.0.113.2"}
            with connect(address, proxy=None, additional_headers=headers) as second:
                code, reason, _ = closing(second)
            assert code == messages.FULL
            assert reason == "all 1 streams of 203.0.113.2 are in use: try later"
    with running(limits) as (address, _), via("203.0.113.1"), via("203.0.113.1"):
        pass  # nobody's word is taken


def test_who_connects_and_says_nothing_keeps_nobody_out(monkeypatch):
    monkeypatch.setattr(Limits, "max_connections", 4)
    with contextlib.ExitStack() as stack, running() as (address, _):
        host, port = address.split("/")[2].split(":")
        for _ in range(12):
            stack.enter_context(socket.create_connection((host, int(port))))
        with client(address) as good:
            good.send(END)
            assert closing(good)[0] == messages.DONE


PING = b"\x89\xfd" + bytes(4) + bytes(125)
HEAPS = {
    "pings": PING * 1000,
    "samples": frame(bytes(2)) * 1000,
    "fragments": b"\x02\x80" + bytes(4) + (b"\x00\x82" + bytes(4) + b"ab") * 1000,
}


@pytest.mark.parametrize("heap", HEAPS.values(), ids=HEAPS)
def test_who_sends_a_heap_of_trifles_is_broken_off(heap):
    audio, events = spoken(2, 1.0)
    with running() as (address, live), plain_stream(address) as plain:
        with contextlib.suppress(OSError):
            plain.sendall(heap)
        until(lambda: live.streams == 0)
        assert converse(address, audio) == events
        assert figures(address)["refused_total", "trifles"] == 1


def test_pings_now_and_then_are_answered():
    with running() as (address, _), client(address) as stream:
        for _ in range(20):
            assert stream.ping().wait(10)
        stream.send(END)
        assert closing(stream)[0] == messages.DONE


def test_what_is_counted():
    audio, _ = spoken(1, 1.0)
    with running(QUICK) as (address, _):
        converse(address, audio)
        with client(address) as stream:
            stream.send(b"1")
            closing(stream)
            counts = figures(address)
            assert counts["workers",] == 1 and counts["waiting",] == counts["queue",] == 0
    chunks = -(-len(audio) // CHUNK)
    assert counts["chunks_total",] == chunks
    assert counts["audio_seconds_total",] == pytest.approx(len(audio) / 16000)
    assert counts["streams_begun_total",] == 2
    assert counts["streams_ended_total", "1000"] == counts["streams_ended_total", "1003"] == 1
    assert counts["memory_bytes", "server"] > 1 << 20


def test_late_chunks_are_counted():
    with running(model=slow_model(0.2)) as (address, _), client(address) as stream:
        stream.send(messages.message_of(speech(0.12)))
        stream.send(END)
        closing(stream)
        counts = figures(address)
    assert counts["late_chunks_total",] == counts["chunk_seconds_count",] == 1


def test_audio_ahead_of_its_time_is_not_late():
    with running(model=slow_model(0.01)) as (address, _), client(address) as stream:
        for _ in range(5):
            stream.send(messages.message_of(speech(1.0)))
        stream.send(END)
        closing(stream, 60)
        counts = figures(address)
    assert (counts["chunks_total",], counts["late_chunks_total",]) == (5, 0)
    assert counts["chunk_seconds_count",] < 5


def test_who_sends_far_too_fast_is_slowed_down(monkeypatch):
    """Here so much that it stands still when it is a second ahead; others do not."""
    taken, decode = [], messages.samples_of
    monkeypatch.setattr(messages, "samples_of", lambda m: taken.append(len(m) // 2) or decode(m))
    monkeypatch.setattr(pace, "FASTEST", 1e-6)
    with running() as (address, live):
        with client(address) as fast:
            fast.send(messages.message_of(speech(2.0)))
            until(lambda: sum(taken) >= 16000)
            with client(address) as other:
                other.send(messages.message_of(speech(0.12)))
                other.send(END)
                assert closing(other)[0] == messages.DONE
            assert sum(taken) <= 16000 + 2 * CHUNK + CHUNK
        until(lambda: live.streams == 0)


def test_a_drain_waits_for_the_streams_that_run(caplog):
    caplog.set_level(logging.INFO)
    audio, events = spoken(1, 1.0)
    with running(Limits(max_streams=1, drain_s=60.0)) as (address, live):
        with client(address) as stream, connect(address, proxy=None) as waiting:
            until(lambda: figures(address)["waiting",] == 1)
            drained = in_loop(live, live.drain())
            assert closing(waiting)[:2] == (messages.GOING_AWAY, "the server stops")
            assert answer(address, GET, "Host: localhost")[::2] == (503, "the server stops\n")
            with pytest.raises(InvalidStatus, match="503"):
                connect(address, proxy=None)
            for at in range(0, len(audio), CHUNK):
                stream.send(messages.message_of(audio[at : at + CHUNK]))
            stream.send(END)
            code, _, found = closing(stream)
        drained.result(10)
    assert code == messages.DONE
    assert [e for e in found if e["type"] not in ("notice", "end")] == events
    assert "no new streams; those that run, 1, have 60 s to end" in caplog.text


def test_a_drain_has_an_end(caplog):
    with running(Limits(drain_s=0.0)) as (address, live), client(address) as stream:
        in_loop(live, live.drain()).result(10)
        assert "1 streams have not ended: they are broken off" in caplog.text
        stream.send(END)  # while the server closes nothing it goes on
        assert closing(stream)[0] == messages.DONE


def test_the_server_stops_whatever_clients_do(monkeypatch):
    """One says nothing, one does not read, one waits for a place."""
    monkeypatch.setattr(server, "OPEN_S", 1000.0)
    monkeypatch.setattr(server, "CLOSE_S", 0.1)
    with contextlib.ExitStack() as stack:
        with running(Limits(max_streams=1, wait_s=1000.0)) as (address, _):
            host, port = address.split("/")[2].split(":")
            stack.enter_context(socket.create_connection((host, int(port))))
            stack.enter_context(plain_stream(address))
            waiting = stack.enter_context(connect(address, proxy=None))
            until(lambda: figures(address)["waiting",] == 1)
        assert closing(waiting)[0] == messages.GOING_AWAY


def test_health_without_workers(monkeypatch):
    with running() as (address, _):
        assert answer(address, GET, "Host: localhost")[::2] == (200, "ok\n")
        monkeypatch.setattr(workers.Workers, "alive", 0)
        assert answer(address, GET, "Host: localhost")[::2] == (503, "no worker\n")


def test_an_error_of_the_server_is_said_and_logged(caplog):
    model = slow_model(0.0)
    model.encoder.first = lambda *_: 1 / 0
    with running(model=model) as (address, _), client(address) as stream:
        stream.send(messages.message_of(speech(1.0)))
        assert closing(stream)[:2] == (
            messages.BROKEN,
            "an error of the server: connect again",
        )
    assert "ZeroDivisionError" in caplog.text
