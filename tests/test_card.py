"""The model card that lies beside a file."""

import dataclasses
import hashlib

import pytest
import yaml
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat.provenance import Provenance
from asr_qat.source import Source
from tests.test_export_metadata import example, write
from tests.training_fixtures import REPOSITORY
from tflite_export.commands.inspect import format_tables
from tflite_export.convert.serialize import attach_metadata, serialize
from tflite_export.runtime.metadata import read_metadata
from tflite_export.score.card import write_card
from tflite_export.score.inspect import inspect
from tflite_export.score.rows import Evaluation, LengthRate, Percentiles

pytest_plugins = ["tests.export_fixtures"]

TONES = REPOSITORY / "tests/data/tones_ctc.tflite"
SOURCE = Source(
    name="stt_en_conformer_ctc_small",
    sha256="ab" * 32,
    library="nemo",
    version="1.0.0",
    licence="CC-BY-4.0",
    attribution="NVIDIA, for a|b",
)


def score() -> Evaluation:
    return Evaluation(
        **vars(Provenance.of_this_run()),
        precision="w4a8",
        widths="w4a8",
        method="native-qat",
        bytes=1,
        utterances=130,
        words=773,
        wer=0.1,
        wer_ci=(0.08, 0.12),
        cer=0.05,
        normalizer="whisper",
        rtf=0.0123,
        latency_ms=Percentiles(p50=1, p95=2, p99=3),
        threads=2,
        wer_diff=-0.001,
        wer_diff_ci=(-0.01, 0.02),
        words_changed=0.0234,
        name="a.tflite",
        peak_rss_mb=99.6,
        ratio=6.5,
        by_length=(LengthRate(seconds=30, below=None, utterances=3, words=9, wer=0.25),),
    )


def parts(card: str) -> tuple[dict, str]:
    _, front, text = card.split("---\n", 2)
    return yaml.safe_load(front), text


def test_an_imported_model(tmp_path):
    path = write(tmp_path / "a.tflite", dataclasses.replace(example(), source=SOURCE))
    card = write_card(path)
    assert card == tmp_path / "a.tflite.md"
    front, text = parts(card.read_text())
    assert front == {
        "license": "cc-by-4.0",
        "base_model": "stt_en_conformer_ctc_small",
        "base_model_relation": "quantized",
        "pipeline_tag": "automatic-speech-recognition",
        "tags": ["litert", "tflite", "conformer", "w4a8"],
    }
    for line in (
        f"| size | {path.stat().st_size:,} bytes |",
        f"| SHA-256 | `{hashlib.sha256(path.read_bytes()).hexdigest()}` |",
        "| precision | w4a8, 1 layers w8a8 (native-qat) |",
        "| w8a8 | 1 layers | `ctc_output` |",
        "| made with | nemo 1.0.0 |",
        f"| its SHA-256 | `{SOURCE.sha256}` |",
        "| attribution | NVIDIA, for a\\|b |",
    ):
        assert line in text.splitlines()
    assert "Measured" not in text and "ai-edge-litert 2" in text


def test_the_source_travels_in_the_file(tmp_path):
    path = write(tmp_path / "a.tflite", dataclasses.replace(example(), source=SOURCE))
    assert read_metadata(path).source == SOURCE
    assert b"source" not in example().buffers()["asr_qat.json"]
    model = flatbuffer_utils.read_model(str(TONES))
    attach_metadata(model, dataclasses.replace(read_metadata(TONES), source=SOURCE))
    path.write_bytes(serialize(model))
    found = inspect(path)
    assert found.source == SOURCE
    assert "source\n  name         stt_en_conformer_ctc_small\n" in format_tables(found)


def test_a_model_that_was_trained_here(tmp_path):
    path = write(tmp_path / "a.tflite", example())
    front, text = parts(write_card(path, score(), "an4 (test)").read_text())
    assert "base_model" not in front and "license" not in front
    for line in (
        "## Measured on an4 (test)",
        "| word error rate | 10.00% [8.00%, 12.00%], normaliser `whisper` |",
        "| WER difference to the baseline | -0.10% [-1.00%, +2.00%] |",
        "| words that differ from the baseline's | 2.34 in 100 |",
        "| size | 6.50 times smaller than the baseline |",
        "| real-time factor | 0.0123, 2 thread(s) |",
        "| 30 and more | 3 | 9 | 25.00% |",
    ):
        assert line in text.splitlines()
    assert "## Source" not in text


@pytest.mark.slow
def test_evaluate_writes_what_it_measured(tflite_export, exported, manifest, tmp_path):
    path = tmp_path / "model.tflite"
    path.write_bytes(exported("w4a8").read_bytes())
    words = ("--baseline", exported("float"), "--normalizer", "whisper", "--card", "--quiet")
    code, out, err = tflite_export("evaluate", path, "--data", manifest, *words)
    assert (code, err) == (0, "")
    assert "normaliser whisper" in out and " words in 100 differ from the baseline's" in out
    assert f"model card: {path}.md\n" in out
    front, text = parts((tmp_path / "model.tflite.md").read_text())
    assert front["tags"][-1] == "w4a8"
    assert "## Measured on test.jsonl" in text and "normaliser `whisper`" in text
