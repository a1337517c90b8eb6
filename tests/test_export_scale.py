"""Files of whole presets: what is counted, and the whole way at a small size."""

import dataclasses
import json

import numpy as np
import pytest
from tensorflow import keras

from asr_qat.audio.front_end import HALVINGS
from asr_qat.config import from_dict
from asr_qat.decoding.transducer_greedy import greedy_transducer
from asr_qat.errors import UserError
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.prediction import TransducerConfig
from asr_qat.models.presets import PRESETS, TRANSDUCERS
from asr_qat.models.summary import summarize, total
from asr_qat.models.transducer import build_transducer
from asr_qat.provenance import Hardware
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.text.tokenizer import Tokenizer
from experiments.scale import scale as module
from experiments.scale.scale import scale, search_calls
from experiments.scale.scale_rows import PresetSize, ScaleResults, ScaleRow, targets
from experiments.scale.scale_table import scale_table
from tflite_export.score.contents import ByteParts

pytest_plugins = ["tests.export_fixtures"]

ENCODER = EncoderConfig(1, dim=16, heads=2, feed_forward=32, kernel=5, subsampling=8)
TRANSDUCER = TransducerConfig(embedding=16, units=16, joint=16)
BLANK = 3


class CountingSteps:
    """A model that emits a label at every third frame."""

    blank = BLANK
    durations = ()

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
    assert search_calls(frames, len(tokens), HALVINGS) == {"encode": 1, **steps.calls}


ROW = ScaleRow(
    **{"name": "S int4", "preset": "S", "parameters": 10_255_168},
    **{"precision": "w4a8", "widths": "w4a8", "method": "ptq", "bytes": 6_000_920},
    **{"ratio": 6.862, "paper_ratio": 5.8, "rtf": 0.01601, "speedup": 1.802, "threads": 1},
    **{"latency_ms": 160.1, "encode_ms": 144.2, "predict_ms": 0.0432, "join_ms": 0.0129},
    **{"peak_rss_mb": 116.7, "memory_ratio": 0.637},
    **{"convert_seconds": 41.2, "convert_peak_rss_mb": 1536.0},
    **{"weight_widths": {}, "delegated": {}, "folded_tables": (), "custom_operators": ()},
    bytes_by_part=ByteParts(constants=6_000_000, metadata=500, quantization=400, graph=20),
)
SIZE = PresetSize(parameters=10_255_168, paper_parameters=10.3e6, deviation=-0.00435)
FOUND = ScaleResults(
    **{"command": "scale", "commit": "unknown", "versions": {}, "model": "transducer"},
    hardware=Hardware(cpu="a CPU", vnni=True, cores=2, memory_gb=8.0),
    **{"vocabulary": 1024, "audio_seconds": 10.0, "labels_per_second": 4.19},
    labels_of="LibriSpeech",
    presets={"S": SIZE},
    rows=(ROW,),
)


def test_results_are_read_again_as_they_were_written():
    written = json.loads(json.dumps(dataclasses.asdict(FOUND)))
    assert from_dict(ScaleResults, written, "scale.json") == FOUND
    del written["rows"][0]["encode_ms"]
    with pytest.raises(UserError, match="^scale.json: .*encode_ms"):
        from_dict(ScaleResults, written, "scale.json")


def test_nothing_is_said_of_the_accuracy_of_untrained_weights():
    named = {field.name for kind in (ScaleRow, ScaleResults) for field in dataclasses.fields(kind)}
    assert not named & {"wer", "wer_ci", "cer", "wer_diff", "wer_diff_ci"}


def test_table_of_transducers():
    lines = scale_table(FOUND).splitlines()
    assert lines[2] == (
        "| S int4 | 6.0 | 6.86x | 5.8x | 144 | 0.04 | 0.01 | 0.0160 | 1.80x | 117 | 0.64 | 41 "
        "| 1.5 |"
    )
    assert "| S | 10,255,168 | 10.3 M | -0.43% |" in lines
    assert any("4.19 labels a second" in line for line in lines)
    assert lines[0].count("|") == lines[1].count("|") == lines[2].count("|")


def test_table_of_ctc_models():
    row = dataclasses.replace(ROW, paper_ratio=None, predict_ms=None, join_ms=None)
    sizes = {"S": PresetSize(parameters=10_255_168)}
    table = scale_table(
        dataclasses.replace(FOUND, labels_per_second=None, presets=sizes, rows=(row,))
    )
    assert "| 6.86x | – | 144 | – | – | 0.0160 |" in table
    assert "labels a second" not in table
    assert "Deviation" not in table


def test_targets_are_of_the_smallest_file():
    small = dataclasses.replace(ROW, preset="L", precision="two_bit_all", ratio=14.2)
    (target,) = targets([ROW, small])
    assert (target.value, target.target, target.met) == (14.2, 14.0, True)
    assert not targets([dataclasses.replace(small, ratio=13.9)])[0].met
    found = dataclasses.replace(FOUND, rows=(small,), targets=(target,))
    assert "| 14.2 | 14 | met |" in scale_table(found)


def test_bytes_on_the_wire_are_shown_where_they_were_counted():
    assert "Compressed" not in scale_table(FOUND)
    row = dataclasses.replace(ROW, wire_bytes=5_000_000)
    assert "| 1.5 | 5.0 |\n" in scale_table(dataclasses.replace(FOUND, rows=(row,)))


def bytes_of_l(precision):
    """Of the L transducer: its blocks are alike, so two small models tell."""

    def of(blocks):
        encoder = dataclasses.replace(PRESETS["L"], blocks=blocks)
        model = build_transducer(encoder, TRANSDUCERS["L"], 1024)
        return total(summarize(model, QuantizationConfig(precision) if precision else None)).bytes

    one, two = of(1), of(2)
    keras.backend.clear_session()
    return one + (PRESETS["L"].blocks - 1) * (two - one)


@pytest.mark.slow
def test_two_bits_in_all_layers_make_l_fourteen_times_smaller():
    full = bytes_of_l(None)
    assert full / bytes_of_l("two_bit_all") > 14
    assert full / bytes_of_l("two_bit") < 13


def test_a_precision_of_no_file_is_said_before_anything_is_written(tflite_export, tmp_path):
    words = ("scale", "--precisions", "w5", "--work", tmp_path / "work")
    code, _, error = tflite_export(*words)
    assert (code, "precision 'w5'" in error) == (1, True)
    assert not list(tmp_path.iterdir())


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
    found = scale(model, ["S"], tokenizer, rate, tmp_path, keep=True, quiet=True)
    full, small = found.rows
    assert (small.name, small.precision, small.method) == ("S 2-bit", "two_bit", "ptq")
    path = tmp_path / f"{model}_S" / "two_bit.tflite"
    assert small.bytes == path.stat().st_size
    assert small.ratio == full.bytes / small.bytes > 1
    widths = small.weight_widths["dense"]
    assert all(widths[width] > 0 for width in ("2", "4", "8"))
    assert widths["32"] == 0
    assert full.ratio == full.speedup == full.memory_ratio == 1
    assert full.convert_peak_rss_mb > 100  # TensorFlow alone takes more
    assert not small.folded_tables
    assert not small.custom_operators
    # Nothing was optimised away: every parameter is in the float file.
    missing = full.parameters - full.bytes_by_part.constants / 4
    assert missing <= 0
    if model == "ctc":
        assert full.latency_ms == pytest.approx(full.encode_ms)
        assert full.predict_ms is full.join_ms is None
        assert set(small.delegated) == {"encode_998"}
    else:
        assert set(small.delegated) == {"encode_998", "predict", "join"}
        parts = [full.encode_ms, full.predict_ms, full.join_ms]
        assert full.latency_ms == pytest.approx(np.dot(parts, [1, 41, 290]), rel=0.5)
    written = json.loads(json.dumps(dataclasses.asdict(found)))
    assert from_dict(ScaleResults, written, "scale.json") == found
    assert "| S 2-bit |" in scale_table(found)


@pytest.mark.long
def test_files_go_unless_they_are_kept(monkeypatch, tmp_path, tokenizer):
    monkeypatch.setitem(module.PRESETS, "S", ENCODER)
    monkeypatch.setitem(module.VARIANTS, "ctc", {"float32": "float"})
    monkeypatch.setattr(module, "ROUNDS", 1)
    scale("ctc", ["S"], tokenizer, None, tmp_path, quiet=True)
    assert not list(tmp_path.iterdir())
