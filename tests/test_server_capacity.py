"""The measurement of the live server's capacity: its clients, its rows, its page."""

import dataclasses

import pytest

pytest.importorskip("websockets")

from asr_qat.provenance import provenance
from experiments.live.rough_clients import Deeds
from experiments.server_capacity.__main__ import build_parser
from experiments.server_capacity.hostile import EIGHT, KINDS, beside
from experiments.server_capacity.measure import _bound
from experiments.server_capacity.memory import measure_memory
from experiments.server_capacity.rows import CapacityResults, MemoryRow, StreamsRow, WaitRow
from experiments.server_capacity.speakers import speak, wire
from experiments.server_capacity.table import capacity_table
from tests.live_reference import reference_model, speech
from tests.server_fixtures import CHUNK, running, spoken
from tflite_export.runtime.live import messages
from tflite_export.runtime.live.limits import Limits
from tflite_export.score.rows import Times

FAST_S = 0.01  # between chunks that last 0.12 s


def place_of(address):
    host, port = address.split("/")[2].split(":")
    return host, int(port)


def finals(events):
    return [event["text"] for event in events if event["type"] == "final"]


def test_speakers_hear_their_words():
    audios = [spoken(seed, 2.0) for seed in (1, 2, 3)]
    wires = [wire(messages.message_of(audio), 2 * CHUNK) for audio, _ in audios]
    with running() as (address, _):
        found = speak(place_of(address), wires, FAST_S)
    assert [each.finals for each in found] == [finals(events) for _, events in audios]
    assert all(each.code == messages.DONE and each.answers_s for each in found)
    assert all(0 < each.wait_s < 10 for each in found)


def test_a_speaker_that_is_refused():
    limits = Limits(max_streams=1, wait_s=0.0)
    wires = [wire(messages.message_of(speech(2.0)), 2 * CHUNK)] * 2
    with running(limits) as (address, _):
        found = speak(place_of(address), wires, FAST_S)
    assert sorted(each.code for each in found) == [messages.DONE, messages.FULL]


def test_hostile_clients_run_beside():
    assert set(EIGHT) == set(KINDS) and len(EIGHT) == 8
    wires = [wire(messages.message_of(speech(1.0)), 2 * CHUNK)]
    with running() as (address, _):
        with beside(["violates", "asks", "asks"], place_of(address), bytes(1000)) as done:
            (heard,) = speak(place_of(address), wires, FAST_S)
    assert heard.code == messages.DONE
    assert [len(done.deeds[name]) for name in ("violates", "asks")] == [1, 2]
    assert all(deeds.closed for own in done.deeds.values() for deeds in own) and done.cpu_s > 0


def row(cores, streams, p95=100.0, **changed):
    values = {
        "cores": cores,
        "workers": cores,
        "streams": streams,
        "answer_ms": Times(p50=p95 / 2, p95=p95, p99=p95, max=2 * p95),
        "chunk_ms_p95": p95,
        "late_chunks": 0.01,
        "complete": streams,
        "same_words": streams,
        "longest_wait_s": 0.5,
        "server_cores": 0.5,
        "speakers_cores": 0.1,
        "hostile_cores": 0.1,
        "memory_mb": 200.0,
        "hostile": {"floods": (Deeds(1, 0, 0),)},
        "stolen_s": 0.0,
    }
    return StreamsRow(**{**values, **changed})


def results(rows, wait_s=1.1, memory=(100.0, 101.0)):
    return CapacityResults(
        **provenance(),
        file="live.tflite",
        data="an4 (test)",
        chunk_ms=120,
        seconds=20.0,
        streams=tuple(rows),
        wait=WaitRow(places=8, hostile=8, tries=10, longest_wait_s=wait_s, lost=9),
        memory=MemoryRow(hours=24.0, seconds=900.0, memory_mb=memory, commit="0123456789ab"),
    ).with_targets()


def test_targets():
    found = results([row(1, 16), row(1, 24), row(1, 32, p95=130.0), row(2, 32), row(2, 44)])
    assert [(r.value, r.target, r.met) for r in found.targets] == [
        (24, 24, True),
        (44, 44, True),
        (1.1, 2.0, True),
        (1.0, 5.0, True),
    ]
    assert capacity_table(found).startswith("**4 of 4 targets met.** Streams in time by cores: 24 ")


@pytest.mark.parametrize(
    "late",
    [
        {"p95": 121.0},
        {"chunk_ms_p95": 160.0},
        {"complete": 23},
        {"same_words": 23},
    ],
)
def test_what_is_not_in_time(late):
    found = results([row(1, 16), row(1, 24, **late), row(1, 32), row(2, 44)])
    assert found.targets[0].value == 16 and found.targets[0].met is False
    assert capacity_table(found).startswith("**3 of 4")


def test_a_client_that_waits_too_long_or_memory_that_grows():
    rows = [row(1, 24), row(2, 44, longest_wait_s=2.5)]
    assert results(rows).targets[2].met is False
    assert results(rows[:1], wait_s=5.0).targets[1].met is False
    assert results(rows[:1], memory=(100.0, 106.0, 100.0)).targets[2].met is False


def test_the_end_of_a_bucket():
    name = 'asr_qat_chunk_seconds_bucket{le="%s"}'
    figures = {name % "0.1": 90.0, name % "0.12": 95.0, name % "0.16": 99.0, name % "+Inf": 100.0}
    assert _bound(figures, 0.95) == 0.12 and _bound(figures, 0.96) == 0.16


@dataclasses.dataclass
class Item:
    def read(self, rate):
        return speech(3.0)


@pytest.mark.long
def test_memory_of_a_session(monkeypatch):
    monkeypatch.setattr(
        "experiments.server_capacity.memory.recordings", lambda data, split: [Item()]
    )
    found = measure_memory(reference_model(0, 2, 1), "data", "test", 0.004, 120, quiet=True)
    assert found.hours == 0.004 and len(found.memory_mb) == 10 and found.growth_mb < 5


def test_options():
    args = build_parser().parse_args(["live.tflite"])
    assert (args.cores, args.streams, args.hours) == ([1, 2], None, 1.0)
