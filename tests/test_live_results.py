"""`tflite-export streaming accuracy`, `scale` and `server`."""

import dataclasses
import itertools
import json
import os

import numpy as np
import pytest

from asr_qat.corpora.recordings import recordings
from asr_qat.decoding.transducer_incremental import advance_search, begin_search
from asr_qat.models import presets
from asr_qat.text.tokenizer import Tokenizer
from experiments.live.paced_steps import PacedSteps
from tests.live_fixtures import ENCODER, STREAMING, TRANSDUCER
from tests.live_reference import JOINT, TOKENIZER, ReferenceSteps, reference_model, speech
from tflite_export.runtime.live.session import Session
from tflite_export.score.live_evaluate import pass_rates, run_streamed, timed_chunks

pytest_plugins = ["tests.live_file", "tests.export_fixtures"]


def test_labels_at_an_even_pace():
    steps = PacedSteps(ReferenceSteps(TOKENIZER.blank), 5.0, 0.08)  # one pass: half a frame each
    frames = np.random.default_rng(0).standard_normal((360, JOINT)).astype(np.float32)
    found = advance_search(steps, begin_search(steps), frames)
    labels = [emission.frame for emission in found.emissions]
    assert abs(sum(at < 150 for at in labels) - 30) <= 1  # 6 s of 40 ms
    assert set(np.diff([at for at in labels if at < 150])) <= {4, 5, 6}
    assert not [at for at in labels if 151 < at < 179 or 331 < at < 359]


def test_utterances_end_at_a_pause():
    model = reference_model(1, 21)
    paced = dataclasses.replace(model, steps=PacedSteps(model.steps, 4.0, 0.04))
    taken, ended = timed_chunks(Session(paced), speech(30.0), 1920)
    assert len(taken) == len(ended) == 250
    assert ended.sum() == 4  # one in 7.2 s


@pytest.mark.slow
def test_accuracy(tflite_export, live_file, live_model, exported, prepared_folder, tmp_path):
    out = tmp_path / "accuracy.json"
    code, printed, err = tflite_export(
        *("streaming", "accuracy", "--float", live_file, "--quantized", live_file),
        *("--offline", exported("float"), "--data", prepared_folder, "--out", out, "--quiet"),
    )
    assert (code, err) == (0, "")
    found = json.loads(out.read_text())
    assert [(row["file"], row["search"]) for row in found["rows"]] == [
        *(("float32", "first"), ("float32", "second")),
        *(("live", "first"), ("live", "second")),
    ]
    items = {split: recordings(prepared_folder, split) for split in ("test", "dev")}
    runs = {split: run_streamed(live_model, own, 120, quiet=True) for split, own in items.items()}
    for row in found["rows"]:
        texts = {split: result.hypotheses[row["search"]] for split, result in runs.items()}
        references = {split: [item.text for item in own] for split, own in items.items()}
        rates = row["rates"]
        assert rates["test"]["wer"] == pass_rates(references["test"], texts["test"]).wer
        whole = pass_rates(sum(references.values(), []), sum(texts.values(), []))
        assert rates["all"]["wer"] == whole.wer
        assert rates["all"]["wer_diff"] == (None if row["file"] == "float32" else 0)
        assert row["ratio"] == 1
    assert found["beside"]["rates"]["test"]["wer"] > 0 and set(found["speed"]) == {
        "float32",
        "live",
    }
    assert len(printed.splitlines()) == 5 and "command" in found
    lines = out.with_suffix(".md").read_text().splitlines()
    (first,) = [line for line in lines if line.startswith("| live, first pass |")]
    assert (
        f"| {100 * found['rows'][2]['rates']['test']['wer']:.1f} [" in first
        and "| 1.00x |" in first
    )
    assert first.count(" +0.0 [+0.0, +0.0] |") == 3  # test, dev, all
    assert any("widths assigned on dev" in line for line in lines)
    assert "differences test +0.00% [+0.00%, +0.00%], dev +0.00%" in printed


def test_files_of_another_kind(tflite_export, live_file, exported, prepared_folder, tmp_path):
    """Said before anything is recognised."""
    offline = exported("float")
    words = ("streaming", "accuracy", "--data", prepared_folder, "--out", tmp_path / "a.json")

    def refusal(float_file, quantized, whole):
        files = ("--float", float_file, "--quantized", quantized, "--offline", whole)
        code, _, err = tflite_export(*words, *files)
        assert code == 1 and len(err.splitlines()) == 1
        return err

    assert "a live model in the place of the offline one" in refusal(*[live_file] * 3)
    assert "of whole utterances" in refusal(live_file, offline, offline)
    assert "is w4a8: give the float model's file" in refusal(exported("w4a8"), live_file, offline)


@pytest.mark.long
def test_scale(tflite_export, monkeypatch, tmp_path):
    for table, shape in (
        ("PRESETS", ENCODER),
        ("TRANSDUCERS", TRANSDUCER),
        ("STREAMING", STREAMING),
    ):
        monkeypatch.setitem(getattr(presets, table), "live_small", shape)
    # Each chunk takes a millisecond.
    monkeypatch.setattr("time.perf_counter", itertools.count(0, 1e-3).__next__)
    tokenizer = Tokenizer.train(["ONE TWO THREE"], 20, "char")
    (tmp_path / "tokenizer.model").write_bytes(tokenizer.proto)
    out = tmp_path / "scale.json"
    code, _, err = tflite_export(
        *("streaming", "scale", "--preset", "live_small", "--labels-per-second", 4),
        *("--tokenizer", tmp_path / "tokenizer.model", "--work", tmp_path / "work"),
        *("--seconds", 9, "--chunk-ms", 120, 480, "--out", out, "--quiet"),
    )
    assert (code, err) == (0, "")
    found = json.loads(out.read_text())
    assert [row["precision"] for row in found["rows"]] == ["float", "mixed_4_8"]
    assert (found["look_ahead_ms"], found["delay_ms"]) == (40, 200)
    for row in found["rows"]:
        chunks = row["chunks"]["120"]
        assert (chunks["count"], chunks["endpoints"]) == (3 * 75, 3)
        for part in ("compute_ms", "endpoint_ms", "finish_ms"):
            assert chunks[part] == pytest.approx({"p50": 1, "p95": 1, "p99": 1, "max": 1})
        assert chunks["rtf"] == pytest.approx(3 * (75 + 1) * 1e-3 / 27) and chunks["late"] == 0
        assert row["chunks"]["480"]["count"] == 3 * 19
    assert not (tmp_path / "work" / "live_small").exists()
    lines = [x for x in out.with_suffix(".md").read_text().splitlines() if "mixed 4/8" in x]
    assert f"| {found['rows'][1]['ratio']:.2f}x |" in lines[0]
    assert "mixed 4/8 | 120 | 0." in lines[1] and "of 225 |" in lines[1]
    assert "mixed 4/8 | 480 | 0." in lines[2] and "of 57 |" in lines[2]
    assert "| 120 | 3 of 225 |" in lines[3] and "| 480 |" in lines[4]
    command = ("streaming", "scale", "--tokenizer", tmp_path / "tokenizer.model")
    code, _, err = tflite_export(*command, "--labels-per-second", 4, "--seconds", 5)
    assert code and "--seconds 5: 8.4 at least, for one endpoint" in err
    code, _, err = tflite_export("streaming", "scale", "--preset", "S")
    assert code and "expected live_tiny, live_l" in err


@pytest.mark.slow
def test_streams_beside_rough_clients(tflite_export, live_file, prepared_folder, tmp_path):
    pytest.importorskip("websockets")
    out = tmp_path / "server.json"
    code, printed, err = tflite_export(
        *("streaming", "server", live_file, "--data", prepared_folder, "--out", out),
        *("--streams", 3, "--seconds", 8, "--speed", 2, "--quiet"),
    )
    assert (code, err) == (0, "")
    found = json.loads(out.read_text())
    assert found["complete_streams"] == found["identical_streams"] == 3
    assert found["words"] > 0 and found["responses"] > 0
    rough = found["rough"]
    assert rough["stalls"]["messages"] > 0 and rough["floods"]["messages"] > 0
    assert rough["disconnects"]["broken"] > 0
    assert 0 <= found["stolen_s"] < 2 * os.cpu_count() * 8
    page = out.with_suffix(".md").read_text()
    late = f"{found['late_chunks']} | {found['late_responses']} of {found['responses']}"
    assert f"| 3 | {late} | 3 of 3 | 3 of 3 |" in page
    assert f"broke off {rough['disconnects']['broken']} times" in page
    assert f"{found['late_responses']} of {found['responses']} answers late" in printed
