"""Streams through a server on some of the cores, beside hostile clients."""

import contextlib
import multiprocessing
import os
import re
import time
import urllib.request
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import psutil

from asr_qat.corpora.recordings import recordings
from experiments.live.many_streams import stolen_seconds
from experiments.live.recordings import joined
from experiments.live.served import HOST, Served, served
from experiments.live.undisturbed_session import events_alone
from experiments.server_capacity.hostile import EIGHT, WITH_PLACES, beside
from experiments.server_capacity.rows import StreamsRow, WaitRow
from experiments.server_capacity.speakers import Heard, speak, wire
from tflite_export.runtime.live.events import Transcript
from tflite_export.runtime.live.live_model import LiveModel
from tflite_export.runtime.live.messages import DONE, SAMPLE_BYTES, message_of, samples_of
from tflite_export.score.rows import Times

DIFFERENT = 8  # audios that the streams share
PAUSE_S = 1.5  # of the room's noise after each recording
IDLE_S = 3.0  # that the server waits for a client: hostile ones come and go
PLACES, TRIES, TRY_S = 8, 10, 1.0  # of the measurement of waits
BYTES_PER_MB = 2**20


class Audios:
    """What the streams say, and the words that a session alone finds in it.

    Args:
        model: live.
        data: prepared folder.
        split: of it.
        seconds: of each.
        chunk_ms: milliseconds of a message.
    """

    def __init__(
        self, model: LiveModel, data: str | Path, split: str, seconds: float, chunk_ms: int
    ):
        items, self.rate = recordings(data, split), model.front_end.sample_rate
        self.chunk_s, size = chunk_ms / 1000, self.rate * chunk_ms // 1000
        self.sent, self.texts = [], []
        for at in range(DIFFERENT):
            pieces = list(joined(items[at::DIFFERENT], seconds, PAUSE_S, self.rate))
            self.sent.append(message_of(np.concatenate(pieces)))
            events = events_alone(model, samples_of(self.sent[-1]), size)
            finals = [e for e in events if isinstance(e, Transcript) and e.kind == "final"]
            self.texts.append([event.text for event in finals])
        self.wires = [wire(audio, size * SAMPLE_BYTES) for audio in self.sent]


def measure_streams(path: str | Path, audios: Audios, cores: int, streams: int) -> StreamsRow:
    """So many streams on so many cores.

    Args:
        path: of the `.tflite`.
        audios: of the streams.
        cores: of this machine.
        streams: at the same time.
    """
    options = ("--max-streams", streams + WITH_PLACES, "--idle-seconds", IDLE_S)
    chosen = [at % DIFFERENT for at in range(streams)]
    with _on(cores), served(path, *options) as server, _speakers() as speakers:
        with beside(EIGHT, (HOST, server.port), audios.sent[0]) as hostile:
            before, began, stolen = _used(server), time.perf_counter(), stolen_seconds()
            wires = [audios.wires[at] for at in chosen]
            said = speakers.submit(_speak, (HOST, server.port), wires, audios.chunk_s)
            heard, speakers_s = said.result()
            took, server_s = time.perf_counter() - began, _used(server) - before
            stolen = stolen_seconds() - stolen
            figures, memory = _metrics(server), _memory(server)
    right = [each.finals == audios.texts[at] for each, at in zip(heard, chosen, strict=True)]
    return StreamsRow(
        cores=cores,
        workers=int(figures["asr_qat_workers"]),
        streams=streams,
        answer_ms=Times.of(np.array([s for each in heard for s in each.answers_s] or [0.0])),
        chunk_ms_p95=1000 * _bound(figures, 0.95),
        late_chunks=figures["asr_qat_late_chunks_total"] / figures["asr_qat_chunk_seconds_count"],
        complete=sum(each.code == DONE for each in heard),
        same_words=sum(right),
        longest_wait_s=max(each.wait_s for each in heard),
        server_cores=server_s / took,
        speakers_cores=speakers_s / took,
        hostile_cores=hostile.cpu_s / took,
        memory_mb=memory,
        hostile=hostile.deeds,
        stolen_s=stolen,
    )


def measure_wait(path: str | Path, audios: Audios) -> WaitRow:
    """One good client after the other, where others hold all places and do no work."""
    chunks = round(TRY_S / audios.chunk_s)
    said = [*audios.wires[0][:chunks], audios.wires[0][-1]]
    with served(path, "--max-streams", PLACES) as server:
        address = (HOST, server.port)
        with beside(["trickles"] * PLACES, address, audios.sent[0]) as hostile:
            waits = [speak(address, [said], audios.chunk_s)[0] for _ in range(TRIES)]
    return WaitRow(
        places=PLACES,
        hostile=PLACES,
        tries=TRIES,
        longest_wait_s=max(each.wait_s for each in waits),
        lost=sum(deeds.closed for deeds in hostile.deeds["trickles"]),
    )


@contextlib.contextmanager
def _on(cores: int) -> Iterator[None]:
    """On the first cores, also what is started within the block."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:cores])
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def _speakers() -> Iterator[ProcessPoolExecutor]:
    """A process for the clients, which is there."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        pool.submit(os.getpid).result()
        yield pool


def _speak(
    address: tuple[str, int], wires: Sequence[list[bytes]], chunk_s: float
) -> tuple[list[Heard], float]:
    """What they heard, and processor seconds."""
    before = time.process_time()
    return speak(address, wires, chunk_s), time.process_time() - before


def _processes(server: Served) -> list[psutil.Process]:
    own = psutil.Process(server.pid)
    return [own, *own.children(recursive=True)]


def _used(server: Served) -> float:
    """Processor seconds of a server so far."""
    times = [process.cpu_times() for process in _processes(server)]
    return sum(each.user + each.system for each in times)


def _memory(server: Served) -> float:
    return sum(each.memory_info().rss for each in _processes(server)) / BYTES_PER_MB


def _metrics(server: Served) -> dict[str, float]:
    """Samples by name and labels."""
    url = f"http://{HOST}:{server.port}/metrics"
    with urllib.request.urlopen(url, timeout=30) as answer:
        text = answer.read().decode()
    found = re.findall(r"^(\w+(?:\{.*\})?) (\S+)$", text, re.MULTILINE)
    return {name: float(value) for name, value in found}


def _bound(figures: dict[str, float], share: float) -> float:
    """Seconds that this share of the chunks does not exceed: the end of a bucket."""
    name = re.compile(r'asr_qat_chunk_seconds_bucket\{le="(.*)"\}')
    buckets = {float(m[1]): count for each, count in figures.items() if (m := name.match(each))}
    enough = share * max(buckets.values())
    return min(end for end, count in buckets.items() if count >= enough)
