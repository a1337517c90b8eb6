"""Whole networks of published sizes: what is promised of which rows, and what runs a file."""

import dataclasses
import json
import sys

import pytest

from asr_qat.config import from_dict
from asr_qat.errors import UserError
from asr_qat.provenance import Hardware
from experiments.pretrained_scale.rows import (
    BeforeRow,
    FileRow,
    PretrainedScaleResults,
    SpeedRow,
    StartRow,
    targets,
)
from experiments.pretrained_scale.running import Running, litert, speeds, starts
from experiments.pretrained_scale.table import pretrained_scale_table
from tflite_export.runtime.model_file import ModelFile
from tflite_export.runtime.weight_cache import cache_file

pytest_plugins = ["tests.export_fixtures"]

FILE = FileRow(
    **{"network": "TDT", "precision": "w4a8", "parameters": 600_000_000, "bytes": 312_000_000},
    **{"ratio": 7.69, "export_seconds": 700.0, "export_peak_mb": 4000.0},
)
BEFORE = BeforeRow(
    **{"preset": "L", "precision": "w4a8", "commit": "abc"},
    **{"before_seconds": (80.0, 90.0), "seconds": (20.0, 30.0)},
    **{"before_peak_mb": 5000.0, "peak_mb": 2000.0, "time_ratio": 0.3, "memory_ratio": 0.4},
)
SPEED = (
    SpeedRow(runtime="LiteRT", weights="int4", mb=312.0, cpu_ms=500.0, rtf=0.05, slower=1.0),
    SpeedRow(runtime="ONNX Runtime", weights="int8", mb=650.0, cpu_ms=800.0, rtf=0.08, slower=1.6),
    SpeedRow(runtime="ONNX Runtime", weights="int4", mb=400.0, cpu_ms=1500.0, rtf=0.1, slower=3.0),
)
START = tuple(
    StartRow(
        **{"runtime": runtime, "weights": weights, "mb": 300.0, "first_ms": first},
        **{"anonymous_mb": 150.0, "peak_mb": 660.0, "of_file": (0.5, 2.2)},
    )
    for runtime, weights, first in (
        ("LiteRT", "int4", 900.0),
        ("LiteRT, weight cache", "int4", 600.0),
        ("ONNX Runtime", "int8", 4000.0),
    )
)
FOUND = PretrainedScaleResults(
    **{"command": "scale", "commit": "unknown", "versions": {}},
    hardware=Hardware(cpu="a CPU", vnni=True, cores=2, memory_gb=8.0),
    **{"files": (FILE,), "before": (BEFORE,), "speed_network": "TDT", "audio_seconds": 10.0},
    **{"speed": SPEED, "start": START},
)


def test_what_is_met():
    met = {row.name: row.met for row in targets(FOUND)}
    assert met == {
        "TDT, w4a8: times smaller than float32": True,
        "TDT, w4a8: MB": True,
        "TDT, w4a8: seconds of export": False,
        "TDT, w4a8: peak MB of export": True,
        "L, w4a8: share of the time of export before": True,
        "L, w4a8: share of the memory of export before": False,
        "0.6 B int4, 10 s: real-time factor": True,
        "0.6 B int4: times as fast as ONNX Runtime's int8": False,
        "0.6 B int4: times as fast as ONNX Runtime's int4": True,
        "0.6 B int4, LiteRT: share of ONNX Runtime's first run after loading": False,
        "0.6 B int4, LiteRT, weight cache: share of ONNX Runtime's first run after loading": True,
        "0.6 B int4, LiteRT, weight cache: anonymous memory to file": True,
        "0.6 B int4, LiteRT, weight cache: peak memory to file": False,
    }


def test_a_smaller_network_promises_less():
    small = dataclasses.replace(FILE, parameters=100_000_000)
    rows = targets(dataclasses.replace(FOUND, files=(small,), before=(), speed=(), start=()))
    assert [row.name for row in rows] == ["TDT, w4a8: times smaller than float32"]


def test_results_are_read_again_as_they_were_written():
    found = dataclasses.replace(FOUND, targets=targets(FOUND))
    written = json.loads(json.dumps(dataclasses.asdict(found)))
    assert from_dict(PretrainedScaleResults, written, "pretrained_scale.json") == found
    table = pretrained_scale_table(found)
    assert "| TDT | w4a8 | 600.0 M | 312.0 | 7.69x | 700 | 4000 |" in table
    assert "**8 of 13 targets met.**" in table


@pytest.mark.slow
def test_files_run_in_turn(exported, tmp_path):
    path = exported("w4a8")
    commands = [
        ("LiteRT", "int4", path, litert(path)),
        ("LiteRT, weight cache", "int4", path, litert(path, weight_cache=True)),
    ]
    first, second = speeds(commands[:1] * 2, 2.0, 2, tmp_path, quiet=True)
    assert first.cpu_ms > 0 and first.slower == 1.0 and second.slower > 0
    assert first.rtf == pytest.approx(first.cpu_ms / 2000)
    alone, cached = starts(commands, 1, tmp_path, quiet=True)
    assert alone.mb == path.stat().st_size / 1e6
    assert alone.peak_mb > alone.anonymous_mb > 0
    assert cached.first_ms > 0
    assert len(list(tmp_path.rglob(cache_file(ModelFile.read(path)).name))) == 1


def test_a_process_that_ends_early(tmp_path):
    with pytest.raises(UserError, match="ended early: .*no answer"):
        Running([sys.executable, "-c", "print('no answer')"], tmp_path)
