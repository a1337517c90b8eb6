"""The results of quantization after training: rows of several draws, targets, the table."""

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest

from asr_qat.provenance import provenance
from asr_qat.training.calibrated import Calibration
from experiments.after_training import large
from experiments.after_training.measure import Measured, divergence, file_row
from experiments.after_training.peers import Peers
from experiments.after_training.rows import (
    NEAREST,
    SPEECH,
    AfterTrainingResults,
    LargeRow,
    NotRun,
)
from experiments.after_training.table import after_training_table
from tests.export_fixtures import noise
from tflite_export.runtime.metadata import read_metadata
from tflite_export.score.statistics import ErrorCounts

pytest_plugins = ["tests.export_fixtures"]


def measured(dev, test, seconds=None) -> Measured:
    counts = {
        split: ErrorCounts(np.array(errors), np.full(len(errors), 10))
        for split, errors in (("dev", dev), ("test", test))
    }
    return Measured(b"12345", counts, seconds)


PLAIN = measured([1, 2], [1, 0])


def test_draws_are_means():
    files = [measured([2, 2], [1, 0], 30.0), measured([1, 2], [1, 2], 50.0)]
    row = file_row(SPEECH, "w4a8", files, PLAIN)
    assert row.dev_wer == (0.2, 0.15) and row.test_wer == (0.05, 0.15)
    assert row.wer == pytest.approx(11 / 80) and row.wer_diff == pytest.approx(3 / 80)
    low, high = row.wer_diff_ci
    assert low == 0 and 3 / 80 < high <= 0.1
    assert row.seconds == (30.0, 50.0)


def test_divergence_is_that_of_the_distributions():
    rng = np.random.default_rng(0)
    plain, other = rng.standard_normal((2, 5, 4))
    p, q = (np.exp(x) / np.exp(x).sum(axis=1, keepdims=True) for x in (plain, other))
    expected = np.mean(
        [sum(a * np.log(a / b) for a, b in zip(*r, strict=True)) for r in zip(p, q, strict=True)]
    )
    assert divergence(plain, other) == pytest.approx(expected)
    assert divergence(plain, plain + 3) == pytest.approx(0, abs=1e-12)
    files = [dataclasses.replace(PLAIN, logits=each) for each in (plain, other, plain)]
    row = file_row(SPEECH, "w4a8", files[1:], files[0])
    assert row.divergence == pytest.approx((expected, 0))
    some = dict(model="a", data="b", utterances=1, peer_utterances=1, words=4)
    found = AfterTrainingResults(
        **provenance(),
        **some,
        float_wer=(0, 0, 0),
        rows=(file_row(NEAREST, "w2", [PLAIN], PLAIN), row),
    )
    assert f"| {1000 * expected:.1f}, 0.0 |" in after_training_table(found)


def test_targets_and_table():
    worse = measured([5, 5], [5, 5], 130.0)
    rows = (
        file_row(NEAREST, "w4a8", [worse], PLAIN),
        file_row(SPEECH, "w4a8", [PLAIN, measured([1, 2], [0, 1], 20.0)], PLAIN),
        file_row(SPEECH, "w3a8", [worse], PLAIN),
        file_row(SPEECH, "w2a8", [PLAIN], PLAIN),
    )
    found = AfterTrainingResults(
        **provenance(),
        model="an4",
        data="an4 (dev and test)",
        utterances=128,
        peer_utterances=32,
        words=40,
        float_wer=(0.15, 0.05, 0.1),
        rows=rows,
        not_run=(NotRun("LiteRT quantizer, MSE", "w2a8", "ValueError: 2"),),
        large=(LargeRow("L", "w4a8", 110_000_000, 12.0, 0.1, 0.2),),
    ).with_targets()
    assert [row.met for row in found.targets] == [True, True, True, False, True, True, True]
    table = after_training_table(found)
    assert table.startswith("**6 of 7 targets met.**")
    assert "| for speech | w3a8 | 0.00 | 25.0 | 25.0 | 50.0 |" not in table
    assert "+40.0 [" in table and "ValueError: 2" in table


@pytest.mark.long
def test_a_large_network_is_rounded_in_the_same_way(monkeypatch, model_directory, prepared_folder):
    monkeypatch.setattr(large, "PRESET", "tiny")
    row = large.large_row(model_directory, "w4a8", Calibration(prepared_folder, 4))
    assert row.parameters > 1_000_000 and row.minutes > 0
    assert 0 < row.error < row.error_nearest


@pytest.mark.slow
def test_a_recipe_makes_a_file_that_our_runtime_reads(float_recogniser, tmp_path):
    peers = Peers(float_recogniser, 1.0, [noise(90), noise(50)], Path(sys.executable), tmp_path)
    made = peers.file("GPTQ", 4)
    assert isinstance(made, bytes), made
    (tmp_path / "x.tflite").write_bytes(made)
    assert read_metadata(tmp_path / "x.tflite").precision == "float"
    assert "Error" in peers.file("MSE", 2)  # it knows widths of 4 and 8 bits
