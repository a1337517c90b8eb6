"""The WebSocket server with real sockets: words, lateness, pages, addresses, its command."""

import asyncio
import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time

import psutil
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from asr_qat.errors import UserError
from experiments.live.undisturbed_session import events_alone
from tests.live_reference import reference_model, speech
from tests.server_fixtures import (
    CHUNK,
    END,
    RULE,
    client,
    closing,
    converse,
    running,
    slow_model,
    spoken,
    until,
)
from tests.training_fixtures import REPOSITORY
from tflite_export.runtime.live import messages
from tflite_export.runtime.live.events import Notice, event_message
from tflite_export.runtime.live.limits import Limits
from tflite_export.runtime.live.server import LiveServer
from tflite_export.runtime.live.workers import Workers

pytest_plugins = ["tests.live_file", "tests.export_fixtures"]


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

    with running(Limits(max_streams=1, wait_s=0.2)) as (address, _):
        done = printed("speech.wav", address)
        refused = printed("slow.wav", address)
        with client(address):
            full = printed("speech.wav", address)
    gone = printed("speech.wav", address)
    with concurrent.futures.ThreadPoolExecutor(1) as threads:
        with running() as (address, server):
            run = threads.submit(printed, "speech.wav", address)
            until(lambda: server.streams == 1, 60)
        stopped = run.result()
    assert done.returncode == 0, done.stderr
    finals = [event["text"] for event in events if event["type"] == "final"]
    lines = [line.split("  final      ")[1] for line in done.stdout.splitlines() if "final" in line]
    assert lines == finals != []
    for failed, reason in [
        (refused, "expected one channel at 16000 Hz"),
        (full, "all 1 streams are in use: try later"),
        (gone, "Connection refused"),
        (stopped, "the server stops"),
    ]:
        assert failed.returncode == 1 and failed.stderr.count("\n") == 1
        assert reason in failed.stderr


def test_streams_do_not_mix():
    spoken_by = [spoken(seed) for seed in range(5)]
    with running() as (address, _), concurrent.futures.ThreadPoolExecutor(5) as threads:
        runs = [threads.submit(converse, address, audio, 0.005) for audio, _ in spoken_by]
        for run, (_, events) in zip(runs, spoken_by, strict=True):
            assert run.result(60) == events


def test_pages_of_other_hosts():
    with running() as (address, _):
        host = address.removeprefix("ws://").partition("/")[0]
        with connect(address, origin=f"http://{host}") as own:
            assert json.loads(own.recv(10))["type"] == "ready"
        with pytest.raises(InvalidStatus, match="403"):
            connect(address, origin="http://elsewhere.example")


def test_late_chunks_are_noticed():
    with running(model=slow_model(0.1)) as (address, _), client(address) as stream:
        stream.send(messages.message_of(speech(0.3)))
        stream.send(END)
        _, _, found = closing(stream)
        assert "late" in [event.get("kind") for event in found]


def late_chunks(model, chunk, count, pause_s):
    with running(model=model) as (address, _), client(address) as stream:
        for _ in range(count):
            stream.send(messages.message_of(speech(chunk)))
            time.sleep(pause_s)
        stream.send(END)
        _, _, found = closing(stream, 60)
    return sum(event["value"] for event in found if event.get("kind") == "late")


def test_chunks_that_wait_after_a_late_one_are_late():
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


def test_the_page_says_what_the_model_is():
    with running(about="digits and letters: größer") as (address, _):
        found = get(address, "/about")
    assert found == (200, "text/plain; charset=utf-8", "digits and letters: größer")


def test_a_free_port_is_one_for_all_addresses(monkeypatch):
    plain = socket.getaddrinfo

    def both(host, *arguments, **options):
        hosts = ("127.0.0.1", "127.0.0.2") if host == "both.test" else (host,)
        return [found for each in hosts for found in plain(each, *arguments, **options)]

    async def serve():
        server = LiveServer(Workers(reference_model, RULE), Limits())
        async with server.listening("both.test", 0) as port:
            for host in ("127.0.0.1", "127.0.0.2"):
                _, writer = await asyncio.open_connection(host, port)
                writer.close()

    monkeypatch.setattr(socket, "getaddrinfo", both)
    asyncio.run(serve())


def test_an_address_in_use():
    async def serve(host, port):
        server = LiveServer(Workers(reference_model, RULE), Limits())
        async with server.listening(host, port):
            pass

    with running() as (address, _):
        port = int(re.search(r":(\d+)/", address)[1])
        with pytest.raises(UserError, match=f"cannot listen on 127.0.0.1, port {port}"):
            asyncio.run(serve("127.0.0.1", port))
    with pytest.raises(UserError, match="cannot listen on no.such.host.invalid"):
        asyncio.run(serve("no.such.host.invalid", 0))


@contextlib.contextmanager
def command(live_file, *options):
    """The server as a command: its process, and its port."""
    program = "from tflite_export.cli import main; main()"
    words = [sys.executable, "-c", program, "serve", str(live_file), "--port", "0", *options]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(words, env={**os.environ}, **pipes)
    try:
        yield process, int(re.search(r":(\d+)/", process.stdout.readline())[1])
    finally:
        process.kill()


@pytest.mark.slow
def test_the_command(live_file, live_model):
    with command(live_file, "--workers", "2") as (process, port):
        about = get(f"ws://localhost:{port}/stream", "/about")[2]
        assert (
            about == f"{live_file.name}: words wait for 40 ms of sound, their correction for 120 ms"
        )
        audio = messages.samples_of(messages.message_of(speech(2.0, 1)))
        with socket.create_connection(("localhost", port)) as stranger:
            stranger.sendall(b"\x00\x01 no HTTP\r\n\r\n")
        found = converse(f"ws://localhost:{port}/stream", audio)
        events = events_alone(live_model, audio, CHUNK)
        assert found == [event_message(e) for e in events if not isinstance(e, Notice)]
        workers = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")
        assert len(workers) >= 2 and psutil.wait_procs(workers, 20)[1] == []


@pytest.mark.slow
def test_the_command_drains(live_file):
    with command(live_file, "--workers", "1", "--drain-seconds", "60") as (process, port):
        with client(f"ws://localhost:{port}/stream") as stream:
            process.send_signal(signal.SIGTERM)
            assert (
                process.stdout.readline() == "no new streams; those that run, 1, have 60 s to end\n"
            )
            stream.send(END)
            assert closing(stream)[0] == messages.DONE
        _, err = process.communicate(timeout=20)
        assert (process.returncode, err) == (0, "")


@pytest.mark.slow
def test_a_second_signal_ends_a_drain(live_file):
    with command(live_file, "--workers", "1", "--drain-seconds", "1000") as (process, port):
        with client(f"ws://localhost:{port}/stream") as stream:
            process.send_signal(signal.SIGTERM)
            assert process.stdout.readline().startswith("no new streams")
            process.send_signal(signal.SIGTERM)
            assert closing(stream)[:2] == (messages.GOING_AWAY, "the server stops")
        assert process.wait(20) == 0


@pytest.mark.slow
@pytest.mark.parametrize("name", ["websockets", "prometheus_client"])
def test_without_the_extra(name, live_file):
    program = (
        f"import sys; sys.modules[{name!r}] = None; from tflite_export.cli import main; main()"
    )
    words = [sys.executable, "-c", program, "serve", str(live_file)]
    done = subprocess.run(words, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"tflite-export: error: needs {name}: pip install 'asr-qat[live]'\n"


@pytest.mark.slow
def test_a_file_that_is_none(tmp_path):
    (tmp_path / "no.tflite").write_text("no model")
    program = "from tflite_export.cli import main; main()"
    words = [sys.executable, "-c", program, "serve", str(tmp_path / "no.tflite"), "--workers", "1"]
    done = subprocess.run(words, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "no.tflite" in done.stderr
