"""Clients of the WebSocket server that misbehave, and what others notice of them."""

import concurrent.futures
import contextlib
import re
import socket
import struct
import threading
import time

import numpy as np
import pytest
from websockets.sync.client import connect

from experiments.live.rough_clients import frame, open_stream
from tests.live_reference import reference_model, speech
from tests.server_fixtures import (
    CHUNK,
    END,
    client,
    closing,
    converse,
    running,
    slow_model,
    spoken,
    until,
)
from tflite_export.runtime.live import messages
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.limits import Limits
from tflite_export.runtime.live.pace import Pace


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
        (b"", messages.NOT_UNDERSTOOD, "without samples"),
        (b"123", messages.NOT_UNDERSTOOD, "odd number of bytes"),
        ("hello", messages.NOT_UNDERSTOOD, 'expected binary audio or {"type": "end"}'),
        ('{"type": "stop"}', messages.NOT_UNDERSTOOD, "expected binary audio"),
        ("[" * 900, messages.NOT_UNDERSTOOD, "expected binary audio"),
        (bytes(1026), messages.TOO_BIG, "limit"),
    ],
)
def test_messages_that_mean_nothing(message, code, reason):
    with running(Limits(max_message_bytes=1024)) as (address, server):
        with client(address) as stream:
            stream.send(message)
            found, why, _ = closing(stream)
            assert (found, reason in why) == (code, True)
        until(lambda: server.streams == 0)
        with client(address) as stream:  # and goes on serving
            stream.send(bytes(1024))
            stream.send(END)
            assert closing(stream)[0] == messages.DONE


def test_an_idle_client():
    audio, events = spoken(1)
    with running(Limits(idle_s=0.5)) as (address, server), client(address) as stream:
        for at in range(0, len(audio), CHUNK):
            stream.send(messages.message_of(audio[at : at + CHUNK]))
        code, reason, found = closing(stream)
        assert (code, reason) == (messages.IDLE, "no message for 0.5 s")
        assert [e for e in found if e["type"] != "notice"] == events  # the last words too
        until(lambda: server.streams == 0)


def test_too_many_streams():
    with running(Limits(max_streams=2, wait_s=0.2)) as (address, server):
        with client(address), client(address):
            with connect(address, proxy=None) as third:
                code, reason, _ = closing(third)
                assert (code, reason) == (
                    messages.FULL,
                    "all 2 streams are in use: try later",
                )
        until(lambda: server.streams == 0)
        with client(address):
            pass


def test_a_client_that_disconnects():
    audio, events = spoken(2)
    with running() as (address, server), concurrent.futures.ThreadPoolExecutor(1) as threads:
        run = threads.submit(converse, address, audio, 0.01)
        for _ in range(5):
            with client(address) as stream:
                stream.send(messages.message_of(audio[:CHUNK]))
                stream.socket.shutdown(socket.SHUT_RDWR)
        assert run.result(60) == events
        until(lambda: server.streams == 0)


def raw_stream(address) -> socket.socket:
    """A stream without a library that reads, and with small buffers."""
    plain = open_stream("127.0.0.1", int(re.search(r":(\d+)/", address)[1]))
    plain.settimeout(None)
    return plain


def test_a_client_that_floods_is_not_read(monkeypatch):
    """It goes on while another speaks, and never gets far ahead of what was recognised."""
    audio, events = spoken(3, 1.0)
    taken, sent, decode = [0], [0], messages.samples_of

    def count(message):
        taken[0] += len(message)
        return decode(message)

    def flood():
        with contextlib.suppress(OSError):
            while True:
                plain.sendall(message)
                sent[0] += len(message)

    monkeypatch.setattr(messages, "samples_of", count)
    with running(model=slow_model(0.005)) as (address, server):
        plain, message = raw_stream(address), frame(bytes(60000))
        sending = threading.Thread(target=flood)
        sending.start()
        until(lambda: taken[0] > 5 * len(message), 60)
        assert converse(address, audio) == events
        assert sent[0] - taken[0] < 1 << 20  # what sockets and the queue hold
        assert sending.is_alive()
        until(lambda: server.streams == 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        plain.shutdown(socket.SHUT_RDWR)
        plain.close()
        sending.join(20)
        assert not sending.is_alive()
        until(lambda: server.streams == 0)


def test_a_flood_does_not_delay_the_words_of_others(monkeypatch):
    """A turn of the worker is a step, not a message, and what is due earlier comes first."""
    monkeypatch.setattr(Pace, "rest_s", lambda *_: 0.0)  # else the flood would not be there
    model, turns = reference_model(0, 2, 1), []  # whether a step was of the flood
    first = model.encoder.first

    def step(features, valid, state):
        turns.append(bool(np.all(features == features.flat[0])))  # it is of silence
        return first(features, valid, state)

    model.encoder.first = step
    with running(model=model) as (address, server):
        with raw_stream(address) as plain:
            message = frame(bytes(60000))  # 16 steps
            sending = threading.Thread(target=flood_quietly, args=(plain, message))
            sending.start()
            until(lambda: any(turns))
            with client(address) as stream:
                stream.send(messages.message_of(speech(1.0, 3)))  # all its steps are due at once
                until(lambda: turns.count(False) >= 5)
            plain.shutdown(socket.SHUT_RDWR)
        sending.join(20)
        until(lambda: server.streams == 0)
    own = [at for at, of_flood in enumerate(turns) if not of_flood][:5]
    between = np.diff(own) - 1
    assert len(own) == 5 and between.max() < 8  # a message of the flood has 16


def test_a_client_that_takes_no_message():
    model = reference_model(0, 2, 1, blank_bias=-9.0)  # so that there is much to say
    rule = EndpointConfig(longest_s=1000.0)
    with running(Limits(idle_s=0.5), model, rule) as (address, server):
        plain = raw_stream(address)
        until(lambda: server.streams == 1)
        sending = threading.Thread(
            target=flood_quietly, args=(plain, frame(messages.message_of(speech(1.0))))
        )
        sending.start()
        until(lambda: server.streams == 0, 60)
        sending.join(20)
        assert not sending.is_alive()
        plain.close()


def test_the_server_stops_with_a_client_that_takes_no_message():
    model = reference_model(0, 2, 1, blank_bias=-9.0)
    with running(Limits(), model, EndpointConfig(longest_s=1000.0)) as (address, server):
        plain = raw_stream(address)
        sending = threading.Thread(
            target=flood_quietly, args=(plain, frame(messages.message_of(speech(1.0))))
        )
        sending.start()
        until(lambda: server.streams == 1)
        time.sleep(1.0)  # meanwhile the buffers fill
        assert server.streams == 1
    sending.join(20)
    assert not sending.is_alive()
    plain.close()


def flood_quietly(plain, message):
    with contextlib.suppress(OSError):
        while True:
            plain.sendall(message)
