"""Files of whole presets: what is counted, and the whole way at a small size."""

import copy
import json

import numpy as np
import pytest

from asr_qat.decoding.transducer_greedy import greedy_transducer
from asr_qat.errors import UserError
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.prediction import TransducerConfig
from asr_qat.text.tokenizer import Tokenizer
from experiments.scale import scale as module
from experiments.scale.scale import scale, search_calls
from experiments.scale.scale_table import scale_table
from tflite_export.score.fresh_process import peak_memory_mb

pytest_plugins = ["tests.export_fixtures"]

ENCODER = EncoderConfig(1, dim=16, heads=2, feed_forward=32, kernel=5, subsampling=8)
TRANSDUCER = TransducerConfig(embedding=16, units=16, joint=16)
BLANK = 3


class CountingSteps:
    """A model that emits a label at every third frame."""

    blank = BLANK

    def __init__(self):
        self.calls = {"predict": 0, "join": 0}

    def initial_state(self, rows):
        return (np.zeros((rows, 1), np.float32),)

    def predict(self, labels, state):
        self.calls["predict"] += len(labels)
        return state[0] + 1, (state[0] + 1,)

    def join(self, encoded, predicted):
        self.calls["join"] += len(encoded)
        logits = np.zeros((len(encoded), BLANK + 1))
        due = predicted[:, 0] <= encoded[:, 0] / 3
        logits[:, BLANK] = np.where(due, 0, 1)
        logits[:, 0] = np.where(due, 1, 0)
        return logits


def test_calls_are_those_of_the_greedy_search():
    frames = 118
    steps, encoded = CountingSteps(), np.arange(30.0)[None, :, None]
    (tokens,) = greedy_transducer(steps, encoded, np.array([30]))
    assert len(tokens) == 9
    assert search_calls(frames, len(tokens)) == {"encode": 1, **steps.calls}


def test_memory_of_a_fresh_process():
    small = peak_memory_mb("pass", "nothing")
    large = peak_memory_mb("x = bytearray(200 << 20)", "nothing")
    assert 199 < large - small < 230


def test_a_failure_there_is_one_line():
    with pytest.raises(UserError, match="^model: ValueError: too bad$"):
        peak_memory_mb("raise ValueError('too bad')", "model")


ROW = {"name": "S int4", "bytes": 6_000_920, "ratio": 6.862, "paper_ratio": 5.8}
ROW |= {"latency_ms": 160.1, "encode_ms": 144.2, "predict_ms": 0.0432, "join_ms": 0.0129}
ROW |= {"rtf": 0.01601, "speedup": 1.802, "peak_rss_mb": 116.7, "memory_ratio": 0.637}
ROW |= {"convert_seconds": 41.2, "convert_peak_rss_mb": 1536.0, "threads": 1}
CONTENT = {"rows": [ROW], "audio_seconds": 10.0, "labels_per_second": 4.19, "vocabulary": 1024}
CONTENT |= {"labels_of": "LibriSpeech", "hardware": {"cpu": "a CPU"}}
CONTENT["presets"] = {
    "S": {"parameters": 10_255_168, "paper_parameters": 10.3e6, "deviation": -0.00435}
}


def test_table_of_transducers():
    lines = scale_table(CONTENT).splitlines()
    assert lines[2] == (
        "| S int4 | 6.0 | 6.86x | 5.8x | 144 | 0.04 | 0.01 | 0.0160 | 1.80x | 117 | 0.64 | 41 "
        "| 1.5 |"
    )
    assert "| S | 10,255,168 | 10.3 M | -0.43% |" in lines
    assert any("4.19 labels a second" in line for line in lines)
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")


def test_table_of_ctc_models():
    content = copy.deepcopy(CONTENT) | {"labels_per_second": None, "presets": {"S": {}}}
    for key in ("paper_ratio", "predict_ms", "join_ms"):
        del content["rows"][0][key]
    table = scale_table(content)
    assert "| 6.86x | – | 144 | – | – | 0.0160 |" in table
    assert "labels a second" not in table
    assert "Deviation" not in table


@pytest.fixture
def tokenizer():
    return Tokenizer.train(["ONE TWO THREE FOUR FIVE"], 40, "char")


@pytest.mark.long
@pytest.mark.parametrize("model", ["transducer", "ctc"])
def test_the_whole_way(monkeypatch, tmp_path, tokenizer, model):
    monkeypatch.setitem(module.PRESETS, "S", ENCODER)
    monkeypatch.setitem(module.TRANSDUCERS, "S", TRANSDUCER)
    monkeypatch.setitem(module.VARIANTS, model, {"float32": "float", "2-bit": "two_bit"})
    monkeypatch.setattr(module, "ROUNDS", 2)
    rate = 4.0 if model == "transducer" else None
    content = scale(model, ["S"], tokenizer, rate, tmp_path, keep=True, quiet=True)
    full, small = content["rows"]
    assert (small["name"], small["precision"], small["method"]) == ("S 2-bit", "two_bit", "ptq")
    path = tmp_path / f"{model}_S" / "two_bit.tflite"
    assert small["bytes"] == path.stat().st_size
    assert small["ratio"] == full["bytes"] / small["bytes"] > 1
    widths = small["weight_widths"]["dense"]
    assert all(widths[width] > 0 for width in ("2", "4", "8"))
    assert widths["32"] == 0
    assert full["speedup"] == full["memory_ratio"] == 1
    assert full["convert_peak_rss_mb"] > 100  # TensorFlow alone takes more
    assert not small["folded_tables"]
    assert not small["custom_operators"]
    # Nothing was optimised away: every parameter is in the float file.
    missing = full["parameters"] - full["bytes_by_part"]["constants"] / 4
    assert missing <= 0
    if model == "ctc":
        assert full["latency_ms"] == pytest.approx(full["encode_ms"])
        assert set(small["delegated"]) == {"encode_998"}
    else:
        assert set(small["delegated"]) == {"encode_998", "predict", "join"}
        parts = [full[f"{name}_ms"] for name in ("encode", "predict", "join")]
        assert full["latency_ms"] == pytest.approx(np.dot(parts, [1, 41, 290]), rel=0.5)
    json.dumps(content)
    assert "| S 2-bit |" in scale_table({**content, "labels_of": "a test"})


@pytest.mark.long
def test_files_go_unless_they_are_kept(monkeypatch, tmp_path, tokenizer):
    monkeypatch.setitem(module.PRESETS, "S", ENCODER)
    monkeypatch.setitem(module.VARIANTS, "ctc", {"float32": "float"})
    monkeypatch.setattr(module, "ROUNDS", 1)
    scale("ctc", ["S"], tokenizer, None, tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())
