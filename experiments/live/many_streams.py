"""Several streams at once through a server, beside clients that do not behave."""

import concurrent.futures
import contextlib
import dataclasses
import json
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from asr_qat.corpora.recordings import recordings
from asr_qat.errors import UserError
from experiments.live.live_results import ServerFigures
from experiments.live.recordings import joined
from experiments.live.rough_clients import Client, Deeds, disconnects, floods, stalls
from experiments.live.served import HOST, served
from experiments.live.undisturbed_session import events_alone
from tflite_export.runtime.live.events import Event, Notice, event_message
from tflite_export.runtime.live.live_model import LiveModel, load_model
from tflite_export.runtime.live.messages import DONE, END, message_of, samples_of
from tflite_export.score.rows import Times

ROUGH: dict[str, Client] = {"stalls": stalls, "floods": floods, "disconnects": disconnects}
ROUGH_S = 60.0  # of recordings, for these clients to repeat
# Seconds that the server waits for a client, many chunks of those that behave: what it sends to
# one that stalls fills the system's buffers first, after three minutes of speech.
IDLE_S = 3.0
END_WAIT_S = 60


@dataclasses.dataclass
class Conversation:
    """What the server said to one client.

    Attributes:
        transcripts: all messages with words.
        late: chunks of which the server said that they took longer, from when it took them up
            until they were processed, than they last; those since its last notice are not in it.
        response_s: to each message with words, from when the last chunk that it has heard was due.
        code: that the server closed with.
    """

    transcripts: list[dict[str, Any]]
    late: int
    response_s: list[float]
    code: int | None


def many_streams(
    path: str | Path,
    data: str | Path,
    split: str = "test",
    streams: int = 8,
    seconds: float = 60.0,
    pause_s: float = 1.5,
    chunk_ms: int = 120,
    speed: float = 1.0,
    rough: bool = True,
    threads: int = 1,
) -> ServerFigures:
    """Stream different recordings to one server at the pace of speech.

    Args:
        path: of a live `.tflite`.
        data: prepared folder.
        split: of it.
        streams: at the same time, not counting clients that do not behave.
        seconds: of audio of each.
        pause_s: of the room's noise after each recording.
        chunk_ms: milliseconds of a message.
        speed: times that of speech.
        rough: with a client of each kind of `ROUGH` beside them.
        threads: CPU threads of the server.
    """
    model = load_model(path, threads)
    size = model.front_end.sample_rate * chunk_ms // 1000
    audios = _audios(model, data, split, streams, seconds, pause_s)
    expected = [_transcripts(events_alone(model, audio, size)) for audio in audios]
    others = ROUGH if rough else {}
    items, rate = recordings(data, split), model.front_end.sample_rate
    rough_audio = message_of(np.concatenate(list(joined(items, ROUGH_S, 0.0, rate))))
    places = streams + 2 * len(others)
    options = ("--threads", threads, "--max-streams", places, "--idle-seconds", IDLE_S)
    with (
        served(path, *options) as server,
        _beside(others, server.port, rough_audio) as did,
    ):
        address, stolen_before = f"ws://{HOST}:{server.port}/stream", stolen_seconds()
        with concurrent.futures.ThreadPoolExecutor(streams) as pool:
            runs = [pool.submit(_converse, address, a, size, chunk_ms / speed) for a in audios]
            found = [run.result() for run in runs]
        stolen_s = stolen_seconds() - stolen_before
    responses = np.array([s for each in found for s in each.response_s] or [0.0])
    same = [each.transcripts == own for each, own in zip(found, expected, strict=True)]
    return ServerFigures(
        streams=streams,
        audio_seconds=seconds,
        chunk_ms=chunk_ms,
        speed=speed,
        threads=threads,
        complete_streams=sum(each.code == DONE for each in found),
        identical_streams=sum(same),
        words=sum(len(m["words"]) for own in expected for m in own if m["type"] == "final"),
        late_chunks=sum(each.late for each in found),
        late_responses=int((1000 * responses > chunk_ms / speed).sum()),
        responses=len(responses),
        response_ms=Times.of(responses),
        stolen_s=stolen_s,
        rough=did,
    )


def stolen_seconds() -> float:
    """CPU time since the start that a virtual machine wanted and its host gave to others.

    The sum over the cores; what is late then is no work of the server.
    """
    all_cores = Path("/proc/stat").read_text().splitlines()[0].split()
    return int(all_cores[8]) / os.sysconf("SC_CLK_TCK")  # see proc(5)


def _audios(
    model: LiveModel, data: str | Path, split: str, streams: int, seconds: float, pause_s: float
) -> list[np.ndarray]:
    """Other recordings for each stream, rounded to 16 bits, float32 `[samples]`."""
    items = recordings(data, split)
    if len(items) < streams:
        raise UserError(f"{data}: {len(items)} recordings for {streams} streams: take another")
    rate = model.front_end.sample_rate
    audios = [
        np.concatenate(list(joined(items[i::streams], seconds, pause_s, rate)))
        for i in range(streams)
    ]
    return [samples_of(message_of(audio)) for audio in audios]


def _transcripts(events: list[Event]) -> list[dict[str, Any]]:
    return [event_message(event) for event in events if not isinstance(event, Notice)]


@contextlib.contextmanager
def _beside(others: dict[str, Client], port: int, audio: bytes) -> Iterator[dict[str, Deeds]]:
    """Run these clients meanwhile; afterwards it holds what each did."""
    stop = threading.Event()
    did: dict[str, Deeds] = {}

    def act(name: str) -> None:
        did[name] = others[name](HOST, port, audio, stop)

    running = [threading.Thread(target=act, args=[name]) for name in others]
    for thread in running:
        thread.start()
    try:
        yield did
    finally:
        stop.set()
        for thread in running:
            thread.join()


def _converse(address: str, audio: np.ndarray, size: int, every_ms: float) -> Conversation:
    """Send chunks when they are due, or as soon after as the server takes them."""
    due: list[float] = []
    found = Conversation([], 0, [], None)
    with connect(address, proxy=None, compression=None, ping_interval=None) as stream:
        rate = json.loads(stream.recv(END_WAIT_S))["sample_rate"]
        reader = threading.Thread(target=_read, args=[stream, found, due, size / rate])
        reader.start()
        begin = time.perf_counter()
        for count, at in enumerate(range(0, len(audio), size), start=1):
            due.append(begin + count * every_ms / 1000)
            time.sleep(max(0.0, due[-1] - time.perf_counter()))
            stream.send(message_of(audio[at : at + size]))
        stream.send(json.dumps(END))
        reader.join(END_WAIT_S)
        found.code = stream.close_code
    return found


def _read(stream: ClientConnection, found: Conversation, due: list[float], chunk_s: float) -> None:
    with contextlib.suppress(ConnectionClosed):  # the code tells
        for text in stream:
            now, message = time.perf_counter(), json.loads(text)
            if message["type"] == "notice":
                found.late += int(message["value"]) if message["kind"] == "late" else 0
            elif message != END:
                found.transcripts.append(message)
                chunk = min(len(due), round(message["heard_s"] / chunk_s + 0.4999)) - 1
                found.response_s.append(now - due[max(0, chunk)])
