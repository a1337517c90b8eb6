"""A live server in a thread, and clients in good order."""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import json
import socket
import threading
import time

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from experiments.live.undisturbed_session import events_alone
from tests.live_reference import reference_model, speech
from tflite_export.runtime.live import messages
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.events import Notice, event_message
from tflite_export.runtime.live.limits import Limits
from tflite_export.runtime.live.server import LiveServer
from tflite_export.runtime.live.workers import Workers

RULE = EndpointConfig(pause_s=0.3)
END = json.dumps(messages.END)
CHUNK = 1920  # samples
QUICK = Limits(wait_s=0.2)  # refuses soon


@contextlib.contextmanager
def running(limits=None, model=None, rule=RULE, about=None, hosts=(), proxies=()):
    """A server in a thread, its worker in another: its address, and itself."""
    model = model or reference_model(0, 2, 1)
    workers = Workers(lambda: model, rule)
    server = LiveServer(workers, limits or QUICK, about, hosts=hosts, proxies=proxies)
    server.loop = loop = asyncio.new_event_loop()  # for `in_loop`
    ready = concurrent.futures.Future()
    stop = asyncio.Event()

    async def serve():
        async with server.listening("127.0.0.1", 0) as port:
            ready.set_result(port)
            await stop.wait()

    thread = threading.Thread(target=loop.run_until_complete, args=[serve()])
    thread.start()
    try:
        yield f"ws://127.0.0.1:{ready.result(10)}/stream", server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(20)
        assert not thread.is_alive()
        loop.close()


def in_loop(server, coroutine):
    """Let it run where the server does; a future of another thread."""
    return asyncio.run_coroutine_threadsafe(coroutine, server.loop)


def answer(address, *lines):
    """To a request of these lines: the status, the headers in small letters, the text."""
    host, port = address.split("/")[2].split(":")
    with socket.create_connection((host, int(port)), 10) as plain:
        plain.sendall("\r\n".join([*lines, "", ""]).encode())
        found = b""
        while part := plain.recv(1 << 16):
            found += part
    head, _, text = found.decode().partition("\r\n\r\n")
    first, *rest = head.split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in rest)
    return int(first.split()[1]), headers, text


@contextlib.contextmanager
def client(address, **options):
    with connect(address, proxy=None, compression=None, ping_interval=None, **options) as found:
        assert json.loads(found.recv(10))["type"] == "ready"
        yield found


def spoken(seed: int, seconds: float = 3.0):
    """Audio in 16 bits, and what a session finds in it."""
    audio = messages.samples_of(messages.message_of(speech(seconds, seed)))
    return audio, expected(audio)


def expected(audio):
    events = events_alone(reference_model(0, 2, 1), audio, CHUNK, RULE)
    return [event_message(e) for e in events if not isinstance(e, Notice)]


def converse(address, audio, pause_s=0.0):
    """All transcripts, until the server closes."""
    found = []
    with client(address) as stream:

        def read():
            for text in stream:
                found.append(json.loads(text))

        reader = threading.Thread(target=read)
        reader.start()
        for at in range(0, len(audio), CHUNK):
            stream.send(messages.message_of(audio[at : at + CHUNK]))
            time.sleep(pause_s)
        stream.send(END)
        reader.join(60)
        assert not reader.is_alive()
        assert stream.close_code == messages.DONE
    assert found.pop() == messages.END
    return [event for event in found if event["type"] != "notice"]


def closing(stream, timeout=10):
    """Code, reason and the messages before."""
    found = []
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            found.append(json.loads(stream.recv(timeout)))
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code, closed.value.rcvd.reason, found


def until(condition, seconds=15.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "does not happen"
        time.sleep(0.02)


class SlowEncoder:
    """The encoder of another, at a tenth of its speed or less."""

    def __init__(self, encoder, seconds):
        self._encoder, self._seconds = encoder, seconds

    def __getattr__(self, name):
        return getattr(self._encoder, name)

    def first(self, features, valid, state):
        time.sleep(self._seconds)
        return self._encoder.first(features, valid, state)


def slow_model(seconds, **shape):
    model = reference_model(0, 2, 1, **shape)
    return dataclasses.replace(model, encoder=SlowEncoder(model.encoder, seconds))
