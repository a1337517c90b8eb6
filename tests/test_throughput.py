"""The measurement of the input pipeline: what is counted, and by which clock."""

import itertools
import json
import sys

import pytest

from asr_qat import cli
from asr_qat.corpora.data_config import DataConfig
from asr_qat.corpora.prepared import PreparedFolder
from experiments.benchmarks.input_throughput import WARM_UP, _measure, input_throughput


def test_audio_is_counted_after_the_warm_up():
    clock, processor = itertools.count(0.0, 1.0), itertools.count(0.0, 30.0)
    source = itertools.chain([1e9] * WARM_UP, itertools.repeat(7.2))
    row = _measure(source, 5.5, lambda: next(clock), lambda: next(processor))
    assert vars(row) == pytest.approx(
        {
            "audio_hours": 5 * 7.2 / 3600,
            "wall_seconds": 7.0,
            "cpu_seconds": 30.0,
            "audio_hours_per_second": 5 * 7.2 / 3600 / 7,
            "audio_hours_per_core_second": 5 * 7.2 / 3600 / 30,
        }
    )


def test_rows(prepared_folder):
    folder = PreparedFolder(prepared_folder)
    content = input_throughput(folder, DataConfig(batch_size=2), 0.05, quiet=True)
    assert [row.name.split(":")[0] for row in content.rows] == [
        "TFRecord",
        "TFRecord",
        "FLAC files",
    ]
    for row in content.rows:
        assert row.audio_hours > 0
        assert row.wall_seconds >= 0.05


def test_command(prepared_folder, tmp_path, monkeypatch, capsys):
    words = ["--data", str(prepared_folder), "--seconds", "0.05", "--results", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", ["asr-qat", "benchmark-input", *words, "--quiet"])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 0
    content = json.loads((tmp_path / "input_throughput.json").read_text())
    assert content["threads"] == 1
    assert content["hardware"]["cores"] >= 1
    assert len(capsys.readouterr().out.splitlines()) == len(content["rows"])
