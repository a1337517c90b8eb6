"""What travels inside a file beside the graph."""

import dataclasses

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema

from asr_qat.audio.front_end import NEMO_FRONT_END, FrontEndConfig
from asr_qat.bounds import (
    LEAST_LOG_FLOOR,
    LEAST_STD,
    MOST_LOG_FLOOR,
    MOST_MEAN,
    MOST_MEL_BINS,
    MOST_RATE,
    MOST_STD,
    MOST_WINDOW,
)
from asr_qat.corpora.feature_stats import SavedMoments
from asr_qat.text.tokenizer import Tokenizer
from tests.export_fixtures import DENSE_LAYERS, OVERRIDES
from tflite_export.convert.serialize import attach_metadata, serialize
from tflite_export.runtime.metadata import Metadata, read_metadata

pytest_plugins = ["tests.export_fixtures"]


def write(path, metadata: Metadata, times: int = 1):
    model = schema.ModelT()
    model.version, model.subgraphs, model.buffers = 3, [], [schema.BufferT()]
    for _ in range(times):
        attach_metadata(model, metadata)
    path.write_bytes(serialize(model))
    return path


def example() -> Metadata:
    rng = np.random.default_rng(0)
    return Metadata(
        precision="w4a8",
        method="native-qat",
        front_end=FrontEndConfig(8000, 32.0, 8.0, 40, 10.0, 3700.0),
        mean=rng.normal(-7, 1, 40).astype(np.float32),
        std=rng.uniform(2, 3, 40).astype(np.float32),
        tokenizer=Tokenizer.train(["ÄON ß 東京"], 40, "char"),
        layers={"block_00_ffn1_expand": "w4a8", "ctc_output": "w8a8"},
    )


@pytest.mark.parametrize("times", [1, 2])
def test_everything_comes_back(tmp_path, times):
    metadata = example()
    found = read_metadata(write(tmp_path / "a.tflite", metadata, times))
    for field in dataclasses.fields(Metadata):
        if field.name not in ("mean", "std", "tokenizer"):
            assert getattr(found, field.name) == getattr(metadata, field.name), field.name
    for name in ("mean", "std"):
        value = getattr(found, name)
        assert value.dtype == np.float32
        np.testing.assert_allclose(value, getattr(metadata, name), atol=1e-5)
    assert found.tokenizer.proto == metadata.tokenizer.proto
    assert found.tokenizer.decode(found.tokenizer.encode("ß 東 ÄON")) == "ß 東 ÄON"


@pytest.mark.parametrize(
    ("precision", "layers", "widths"),
    [
        ("w4a8", ["w4a8", "w8a8"], "w4a8, 1 layers w8a8"),
        ("w4a8", ["w4a8-learned", "w8a8-learned"], "w4a8, 1 layers w8a8-learned"),
        ("w2a8-learned", ["w2a8-learned"] * 2, "w2a8-learned"),
    ],
)
def test_widths_name_what_differs(precision, layers, widths):
    named = dict(zip("ab", layers, strict=True))
    assert dataclasses.replace(example(), precision=precision, layers=named).widths == widths


@pytest.mark.parametrize(
    "front_end",
    [
        FrontEndConfig(MOST_RATE, 80.0, 80.0, MOST_MEL_BINS, 0.0, MOST_RATE / 2),
        FrontEndConfig(1, 1000.0 * MOST_WINDOW, 1000.0 * MOST_WINDOW, 1, 0.0, 0.5),
        FrontEndConfig(MOST_RATE, 1 / 700, 1 / 700, 1, log_floor=LEAST_LOG_FLOOR),
        FrontEndConfig(log_floor=MOST_LOG_FLOOR),
    ],
)
@pytest.mark.parametrize("mean, std", [(-MOST_MEAN, LEAST_STD), (MOST_MEAN, MOST_STD)])
def test_what_a_model_directory_may_hold_a_file_may(tmp_path, front_end, mean, std):
    bins = front_end.mel_bins
    moments = SavedMoments((mean,) * bins, (std,) * bins).arrays(bins, "here")
    metadata = dataclasses.replace(example(), front_end=front_end, mean=moments[0], std=moments[1])
    found = read_metadata(write(tmp_path / "a.tflite", metadata))
    assert found.front_end == front_end
    np.testing.assert_array_equal(found.std, moments[1])


def test_what_was_read_is_written_alike(tmp_path):
    first = write(tmp_path / "a.tflite", example())
    second = write(tmp_path / "b.tflite", read_metadata(first))
    assert first.read_bytes() == second.read_bytes()


def test_a_front_end_of_another_library(tmp_path):
    mean, std = np.zeros(80, np.float32), np.ones(80, np.float32)
    metadata = dataclasses.replace(example(), front_end=NEMO_FRONT_END, mean=mean, std=std)
    found = read_metadata(write(tmp_path / "a.tflite", metadata))
    assert found.front_end == NEMO_FRONT_END
    assert b"normalization" not in example().buffers()["asr_qat.json"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("precision", "method"), [("float", "float"), ("w4a8", "ptq"), ("w8a8", "ptq")]
)
def test_a_converted_model_describes_itself(exported, float_recogniser, precision, method):
    found = read_metadata(exported(precision))
    assert (found.precision, found.method) == (precision, method)
    assert found.front_end == float_recogniser.config.front_end
    assert found.tokenizer.proto == float_recogniser.tokenizer.proto
    np.testing.assert_allclose(found.mean, float_recogniser.mean, atol=1e-5)
    np.testing.assert_allclose(found.std, float_recogniser.std, atol=1e-5)
    assert len(found.layers) == (0 if precision == "float" else DENSE_LAYERS)
    assert set(found.layers.values()) == (set() if precision == "float" else {precision})


@pytest.mark.slow
def test_a_mixed_model_names_the_precision_of_each_layer(mixed_file):
    found = read_metadata(mixed_file)
    assert (found.precision, found.method) == ("w4a8", "native-qat")
    assert len(found.layers) == DENSE_LAYERS - 1
    assert "ctc_output" not in found.layers and OVERRIDES["ctc_output"] == "float"
    for name, precision in found.layers.items():
        assert precision == ("w8a8" if name.startswith("block_00_attention_") else "w4a8")
