"""The WebSocket server with real sockets: words, limits, and clients that misbehave."""

import asyncio
import concurrent.futures
import contextlib
import dataclasses
import http.client
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from asr_qat.errors import UserError
from tests.live_reference import reference_model, speech
from tests.training_fixtures import REPOSITORY
from tflite_export.live import messages
from tflite_export.live.endpoint import EndpointConfig
from tflite_export.live.events import Notice, event_message
from tflite_export.live.server import Limits, LiveServer
from tflite_export.live.session import Session

pytest_plugins = ["tests.live_file", "tests.export_fixtures"]

RULE = EndpointConfig(pause_s=0.3)
END = json.dumps(messages.END)
CHUNK = 1920  # samples


@contextlib.contextmanager
def running(limits=None, model=None, rule=RULE):
    """A server in a thread: its address, and itself."""
    server = LiveServer(model or reference_model(0, 2, 1), limits or Limits(), rule)
    loop, ready = asyncio.new_event_loop(), concurrent.futures.Future()
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


@contextlib.contextmanager
def client(address, **options):
    with connect(address, proxy=None, compression=None, ping_interval=None, **options) as found:
        assert json.loads(found.recv(10))["type"] == "ready"
        yield found


def pcm(audio) -> bytes:
    return np.round(audio * 32768).astype("<i2").tobytes()


def spoken(seed: int, seconds: float = 3.0):
    """Audio in 16 bits, and what a session finds in it."""
    audio = np.frombuffer(pcm(speech(seconds, seed)), "<i2").astype(np.float32) / 32768
    return audio, expected(audio)


def expected(audio):
    session = Session(reference_model(0, 2, 1), RULE)
    events = [e for at in range(0, len(audio), CHUNK) for e in session.accept(audio[at:][:CHUNK])]
    return [event_message(e) for e in events + session.finish() if not isinstance(e, Notice)]


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
            stream.send(pcm(audio[at : at + CHUNK]))
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


def test_the_words_of_a_session():
    audio, events = spoken(1)
    assert {event["type"] for event in events} == {"partial", "corrected", "final"}
    with running() as (address, _):
        assert converse(address, audio) == events


def test_the_example_client(tmp_path):
    soundfile = pytest.importorskip("soundfile")
    audio, events = spoken(1)
    soundfile.write(tmp_path / "speech.wav", audio, 16000)
    soundfile.write(tmp_path / "slow.wav", audio, 8000)
    example = REPOSITORY / "examples/stream.py"

    def printed(name, address):
        words = [sys.executable, example, tmp_path / name, address]
        variables = {**os.environ, "NO_PROXY": "*"}
        return subprocess.run(words, capture_output=True, text=True, timeout=60, env=variables)

    with running() as (address, _):
        done = printed("speech.wav", address)
        refused = printed("slow.wav", address)
    assert done.returncode == 0, done.stderr
    finals = [event["text"] for event in events if event["type"] == "final"]
    lines = [line.split("  final      ")[1] for line in done.stdout.splitlines() if "final" in line]
    assert lines == finals != []
    assert refused.returncode == 1 and "expected one channel at 16000 Hz" in refused.stderr


def test_streams_do_not_mix():
    spoken_by = [spoken(seed) for seed in range(5)]
    with running() as (address, _), concurrent.futures.ThreadPoolExecutor(5) as threads:
        runs = [threads.submit(converse, address, audio, 0.005) for audio, _ in spoken_by]
        for run, (_, events) in zip(runs, spoken_by, strict=True):
            assert run.result(60) == events


@pytest.mark.parametrize(
    ("message", "code", "reason"),
    [
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
            stream.send(pcm(audio[at : at + CHUNK]))
        code, reason, found = closing(stream)
        assert (code, reason) == (messages.IDLE, "no message for 0.5 s")
        assert [e for e in found if e["type"] != "notice"] == events  # the last words too
        until(lambda: server.streams == 0)


def test_too_many_streams():
    with running(Limits(max_streams=2)) as (address, server):
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
                stream.send(pcm(audio[:CHUNK]))
                stream.socket.shutdown(socket.SHUT_RDWR)
        assert run.result(60) == events
        until(lambda: server.streams == 0)


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


def raw_stream(address) -> socket.socket:
    """A stream without a library that reads, and with small buffers."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    plain.connect(("127.0.0.1", int(re.search(r":(\d+)/", address)[1])))
    key = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    upgrade = "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    plain.sendall(f"GET /stream HTTP/1.1\r\n{upgrade}{key}\r\n".encode())
    return plain


def frame(content: bytes) -> bytes:
    """A binary message of a client, as it goes over the wire."""
    return b"\x82\xff" + len(content).to_bytes(8, "big") + bytes(4) + content


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


def test_a_flood_does_not_delay_the_words_of_others():
    """A turn of the worker is a step, not a message: beside a flood all takes twice as long."""
    audio, _ = spoken(3, 1.0)

    def seconds(address):
        began = time.monotonic()
        converse(address, audio)
        return time.monotonic() - began

    with running(model=slow_model(0.05)) as (address, server):
        alone = seconds(address)
        with raw_stream(address) as plain:
            message = frame(bytes(60000))  # 16 steps
            sending = threading.Thread(target=flood_quietly, args=(plain, message))
            sending.start()
            until(lambda: server.streams == 1)
            beside = seconds(address)
            plain.shutdown(socket.SHUT_RDWR)
        sending.join(20)
        assert beside < 5 * alone


def test_a_client_that_takes_no_message():
    model = reference_model(0, 2, 1, blank_bias=-9.0)  # so that there is much to say
    rule = EndpointConfig(longest_s=1000.0)
    with running(Limits(idle_s=0.5), model, rule) as (address, server):
        plain = raw_stream(address)
        until(lambda: server.streams == 1)
        sending = threading.Thread(target=flood_quietly, args=(plain, frame(pcm(speech(1.0)))))
        sending.start()
        until(lambda: server.streams == 0, 60)
        sending.join(20)
        assert not sending.is_alive()
        plain.close()


def test_the_server_stops_with_a_client_that_takes_no_message():
    model = reference_model(0, 2, 1, blank_bias=-9.0)
    with running(Limits(), model, EndpointConfig(longest_s=1000.0)) as (address, server):
        plain = raw_stream(address)
        sending = threading.Thread(target=flood_quietly, args=(plain, frame(pcm(speech(1.0)))))
        sending.start()
        time.sleep(1.0)
        assert server.streams == 1
    sending.join(20)
    assert not sending.is_alive()
    plain.close()


def flood_quietly(plain, frame):
    with contextlib.suppress(OSError):
        while True:
            plain.sendall(frame)


def test_pages_of_other_hosts():
    with running() as (address, _):
        host = address.removeprefix("ws://").partition("/")[0]
        with connect(address, origin=f"http://{host}") as own:
            assert json.loads(own.recv(10))["type"] == "ready"
        with pytest.raises(InvalidStatus, match="403"):
            connect(address, origin="http://elsewhere.example")


def test_late_chunks_are_noticed():
    with running(model=slow_model(0.1)) as (address, _), client(address) as stream:
        stream.send(pcm(speech(0.3)))
        stream.send(END)
        _, _, found = closing(stream)
        assert "late" in [event.get("kind") for event in found]


def late_chunks(model, chunk, count, pause_s):
    with running(model=model) as (address, _), client(address) as stream:
        for _ in range(count):
            stream.send(pcm(speech(chunk)))
            time.sleep(pause_s)
        stream.send(END)
        _, _, found = closing(stream, 60)
    return sum(event["value"] for event in found if event.get("kind") == "late")


def test_chunks_that_wait_behind_a_late_one_are_late():
    model = reference_model(0, 2, 1)
    first = model.encoder.first

    def slow_once(features, valid, state):
        model.encoder.first = first
        time.sleep(1.5)
        return first(features, valid, state)

    model.encoder.first = slow_once
    assert late_chunks(model, 0.12, 20, 0.12) >= 8


def test_a_client_faster_than_speech_is_not_late():
    assert late_chunks(slow_model(0.01), 1.5, 10, 0.0) == 0


def test_the_server_stops():
    with contextlib.ExitStack() as stack:
        with running() as (address, _):
            stream = stack.enter_context(client(address))
        code, reason, _ = closing(stream)
        assert (code, reason) == (messages.GOING_AWAY, "the server stops")


def get(address, path):
    connection = http.client.HTTPConnection(address.split("/")[2], timeout=10)
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.getheader("Content-Type"), answer.read().decode()


def test_the_page():
    with running() as (address, _):
        status, kind, text = get(address, "/")
        assert (status, kind) == (200, "text/html; charset=utf-8")
        for name in re.findall(r'(?:src|href)="(\w+\.\w+)"', text):
            status, kind, _ = get(address, f"/{name}")
            assert status == 200 and kind.startswith(("text/css", "text/javascript"))
        assert get(address, "/recorder.js?1")[0] == 200
        assert get(address, "/none")[0] == get(address, "/../setup.cfg")[0] == 404
        assert get(address, "/stream")[0] == 426  # for WebSockets alone


def test_a_free_port_is_one_for_all_addresses(monkeypatch):
    plain = socket.getaddrinfo

    def both(host, *arguments, **options):
        hosts = ("127.0.0.1", "127.0.0.2") if host == "both.test" else (host,)
        return [found for each in hosts for found in plain(each, *arguments, **options)]

    async def serve():
        server = LiveServer(reference_model(), Limits(), RULE)
        async with server.listening("both.test", 0) as port:
            for host in ("127.0.0.1", "127.0.0.2"):
                _, writer = await asyncio.open_connection(host, port)
                writer.close()

    monkeypatch.setattr(socket, "getaddrinfo", both)
    asyncio.run(serve())


def test_an_address_in_use():
    async def serve(host, port):
        async with LiveServer(reference_model(), Limits(), RULE).listening(host, port):
            pass

    with running() as (address, _):
        port = int(re.search(r":(\d+)/", address)[1])
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1, port {port}"):
            asyncio.run(serve("127.0.0.1", port))
    with pytest.raises(UserError, match="cannot listen on no.such.host.invalid"):
        asyncio.run(serve("no.such.host.invalid", 0))


@pytest.mark.slow
def test_the_command(live_file, live_model):
    program = "from tflite_export.cli import main; main()"
    command = [sys.executable, "-c", program, "serve", str(live_file), "--port", "0"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(command, env={**os.environ}, **pipes)
    try:
        port = int(re.search(r":(\d+)/", process.stdout.readline())[1])
        audio = np.frombuffer(pcm(speech(2.0, 1)), "<i2").astype(np.float32) / 32768
        with socket.create_connection(("localhost", port)) as stranger:
            stranger.sendall(b"\x00\x01 no HTTP\r\n\r\n")
        found = converse(f"ws://localhost:{port}/stream", audio)
        session = Session(live_model)
        events = [
            e for at in range(0, len(audio), CHUNK) for e in session.accept(audio[at:][:CHUNK])
        ]
        events += session.finish()
        assert found == [event_message(e) for e in events if not isinstance(e, Notice)]
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")
    finally:
        process.kill()
