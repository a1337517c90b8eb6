"""Clients that do not behave reach a real server, and it notices them."""

import socket
import threading
import time

import numpy as np
import pytest

pytest.importorskip("websockets")

from experiments.live import rough_clients
from experiments.live.many_streams import _converse
from experiments.live.rough_clients import Deeds, disconnects, floods, stalls
from tests.live_reference import reference_model, speech
from tests.server_fixtures import running
from tflite_export.runtime.live import messages
from tflite_export.runtime.live.limits import Limits
from tflite_export.runtime.live.messages import message_of
from tflite_export.runtime.live.workers import Workers

AUDIO = message_of(speech(20.0, 1))


def act(client, address: str, until) -> Deeds:
    """What a client does until `until`, which is asked all the time, or for 30 s."""
    found, stop = [], threading.Event()
    host, port = address.removeprefix("ws://").removesuffix("/stream").split(":")
    thread = threading.Thread(
        target=lambda: found.append(client(host, int(port), AUDIO, stop)), daemon=True
    )
    thread.start()
    deadline = time.monotonic() + 30
    while not until() and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    thread.join(15)
    return found[0]


def test_a_client_that_disconnects_had_a_stream(monkeypatch):
    begun, original = [], Workers.stream

    def stream(self):
        begun.append(self)
        return original(self)

    monkeypatch.setattr(Workers, "stream", stream)
    with running() as (address, server):
        deeds = act(disconnects, address, lambda: len(begun) >= 5)
        assert deeds.broken == deeds.messages >= 3 and deeds.closed == 0
        while server.streams:
            time.sleep(0.01)


@pytest.mark.parametrize("client", [disconnects, stalls, floods])
def test_nobody_there(client, monkeypatch):
    tries, original = [], rough_clients.open_stream

    def open_stream(host, port):
        tries.append(port)
        return original(host, port)

    monkeypatch.setattr(rough_clients, "open_stream", open_stream)
    with socket.socket() as silent:  # nobody else gets the port
        silent.bind(("127.0.0.1", 0))
        address = f"ws://127.0.0.1:{silent.getsockname()[1]}/stream"
        assert act(client, address, lambda: len(tries) >= 3) == Deeds()


def test_the_server_notices_a_client_that_stalls(monkeypatch):
    monkeypatch.setattr("tflite_export.runtime.live.server.SOCKET_BYTES", 4096)
    with running(Limits(idle_s=0.5), reference_model(0, 2, 1)) as (address, server):
        seen = [0]

        def noticed():
            if server.streams != seen[-1]:
                seen.append(server.streams)
            return len(seen) > 3  # it has connected again

        assert act(stalls, address, noticed).closed >= 1


def test_a_client_that_floods_is_not_closed(monkeypatch):
    """However long it goes on: here for three times as long as nobody may be silent."""
    taken, original = [], messages.samples_of

    def samples_of(message):
        taken.append(time.monotonic())
        return original(message)

    monkeypatch.setattr(messages, "samples_of", samples_of)
    with running(Limits(idle_s=0.5)) as (address, _):
        deeds = act(floods, address, lambda: len(taken) > 3 and taken[-1] > taken[0] + 1.5)
    assert deeds.messages > 3 and deeds.closed == 0


def test_answers_count_from_when_a_chunk_was_due(monkeypatch):
    """Nobody may send for a second: all answers are late by the rest of it."""
    from websockets.sync.client import ClientConnection

    def send(self, message):
        time.sleep(1.0 if not sent else 0.0)
        sent.append(message)
        original(self, message)

    sent, original = [], ClientConnection.send
    monkeypatch.setattr(ClientConnection, "send", send)
    with running() as (address, _):
        found = _converse(address, speech(1.0, 1), 1920, 120.0)
    assert found.code == 1000 and found.response_s
    assert np.all(np.array(found.response_s[:2]) > 0.5)
