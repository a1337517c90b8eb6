"""LiteRT beside other runtimes: what is promised of which rows, what runs, what is kept."""

import dataclasses
import json
import sys
from pathlib import Path

import pytest

from asr_qat.config import from_dict
from asr_qat.provenance import Hardware
from experiments.peers import measure
from experiments.peers.measure import Measured
from experiments.peers.operators import operator_times
from experiments.peers.peer import Peer, python_with
from experiments.peers.rows import (
    INT4,
    LITERT,
    ONNX_RUNTIME,
    OPENVINO,
    TWO_BITS,
    WIDENED,
    NetworkRow,
    OperatorRow,
    PeersResults,
    RefusedRow,
    SpeedRow,
)
from experiments.peers.table import peers_table
from experiments.pretrained_scale.networks import Made, Network
from experiments.pretrained_scale.rows import StartRow
from tests.tones_fixtures import tones_file


def speed(runtime: str, weights: str, threads: int, times: float) -> SpeedRow:
    return SpeedRow(
        **{"runtime": runtime, "weights": weights, "file": ".onnx", "threads": threads},
        **{"mb": 50.0, "cpu_ms": 100 * times, "wall_ms": 100 * times, "times_int4": times},
    )


LARGE = NetworkRow(
    name="L",
    parameters=110_000_000,
    refused=(RefusedRow(runtime=OPENVINO, weights=INT4, file=".tflite", message="not that"),),
    speed=(
        speed(LITERT, INT4, 1, 1.0),
        speed(LITERT, WIDENED, 1, 1.02),
        speed(ONNX_RUNTIME, "int8", 1, 1.7),
        speed(ONNX_RUNTIME, INT4, 1, 3.1),
        speed(ONNX_RUNTIME, "int8", 2, 1.9),
    ),
    start=(
        StartRow(
            **{"runtime": "LiteRT, .tflite", "weights": INT4, "mb": 50.0, "first_ms": 180.0},
            **{"anonymous_mb": 120.0, "peak_mb": 200.0, "of_file": (2.0, 4.0)},
        ),
    ),
    operators=(
        OperatorRow(
            runtime=LITERT, weights=INT4, operator="FULLY_CONNECTED int4", count=9, ms=60.0
        ),
        OperatorRow(runtime=LITERT, weights=INT4, operator="ADD", count=7, ms=0.1),
    ),
)
FOUND = PeersResults(
    **{"command": "peers", "commit": "unknown", "versions": {}, "peers": {OPENVINO: "2026.4"}},
    hardware=Hardware(cpu="a CPU", vnni=True, cores=2, memory_gb=8.0),
    **{"audio_seconds": 10.0, "rounds": 3},
    networks=(LARGE, dataclasses.replace(LARGE, name="S", parameters=10_000_000)),
).with_targets()


def test_what_is_met_of_the_large_network():
    assert {row.name: row.met for row in FOUND.targets} == {
        "L, 1 thread: share of int4's speed, int2, widened to 4": True,
        "L, 1 thread: int4 times as fast as ONNX Runtime's int8": False,
        "L, 1 thread: int4 times as fast as ONNX Runtime's int4": True,
        "L, 2 threads: int4 times as fast as ONNX Runtime's int8": True,
    }


def test_results_are_read_again_as_they_were_written():
    written = json.loads(json.dumps(dataclasses.asdict(FOUND)))
    assert from_dict(PeersResults, written, "peers.json") == FOUND
    table = peers_table(FOUND)
    assert "| ONNX Runtime | `.onnx` | int8 | 50.0 | 170.0 | 170.0 | 1.70 |" in table
    assert "| others | 7 | 0.1 |" in table
    assert "- OpenVINO, `.tflite`, int4: `not that`" in table


@pytest.mark.long
def test_operators_of_a_file():
    rows = operator_times(tones_file("ctc").read_bytes())
    products = next(row for row in rows if row["operator"] == "FULLY_CONNECTED int4")
    assert products["count"] >= 10 and all(row["ms"] > 0 for row in rows)
    assert rows == sorted(rows, key=lambda row: -row["ms"])


def test_a_file_that_a_runtime_does_not_take(monkeypatch):
    """The last line of what it says."""
    peer = Peer(OPENVINO, INT4, Path("a.tflite"), 100, Path(sys.executable))
    program = "import sys; sys.exit('not this\\nnor that')"
    monkeypatch.setattr(Peer, "command", lambda self, threads: [sys.executable, "-c", program])
    row = peer.refusal()
    assert (row.runtime, row.file, row.message) == (OPENVINO, ".tflite", "nor that")
    monkeypatch.setattr(Peer, "command", lambda self, threads: [sys.executable, "-c", ""])
    assert peer.refusal() is None


def test_python_of_a_package():
    assert python_with("numpy", Path("other")) == Path(sys.executable)
    assert python_with("no_such_package", Path("other")) == Path("other")


@pytest.mark.long
def test_parts_in_turn_that_are_kept(monkeypatch, tmp_path):
    """Two files, as LiteRT runs them; a second time nothing is measured again."""
    here = Path(sys.executable)
    peers = [Peer(LITERT, weights, tones_file("ctc"), 198, here) for weights in (INT4, TWO_BITS)]
    monkeypatch.setattr(measure, "peers_of", lambda *_: peers)
    monkeypatch.setattr(measure, "result_of", lambda *_: 1000)
    made = Made(Network("T", "ctc", "tiny", "ctc", ()), tmp_path, here)
    monkeypatch.setattr(Made, "model", lambda self: tmp_path)
    found = Measured(made, here, 2, 1, tmp_path / "found", quiet=True).row([1])
    assert [(row.weights, row.threads) for row in found.speed] == [(INT4, 1), (TWO_BITS, 1)]
    assert found.speed[0].times_int4 == 1 and found.speed[1].wall_ms > 0
    assert [row.runtime for row in found.start] == ["LiteRT, .tflite"] * 2
    assert found.operators and not found.refused
    monkeypatch.setattr(measure, "starts", None)
    monkeypatch.setattr(measure, "Running", None)
    assert Measured(made, here, 2, 1, tmp_path / "found", quiet=True).row([1]) == found
