"""Live models as `.tflite` files: steps that compute what Keras does on whole utterances."""

import dataclasses
import json

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from asr_qat.audio.front_end import FrontEndConfig, subsampled_length
from asr_qat.errors import UserError
from asr_qat.models.layer_names import CTC_HEAD
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import QuantizationConfig, quantized_layers
from asr_qat.text.tokenizer import Tokenizer
from tests.conftest import long_case
from tests.export_fixtures import quantized
from tests.live_fixtures import BINS, ENCODER, STREAMING, TRANSDUCER, normal, whole
from tflite_export.convert.convert import convert, convert_recogniser
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.inspect import inspect
from tflite_export.score.product_equality import product_errors

pytest_plugins = ["tests.export_fixtures", "tests.transducer_fixtures"]
pytestmark = pytest.mark.slow

MIXED = QuantizationConfig("w4a8", overrides={"^block_00_": "w8a8", "^joint_encoder$": "float"})
FLOAT_ACTIVATIONS = QuantizationConfig("w4")
WITH_FLOAT_ACTIVATIONS = ("DEQUANTIZE", "FULLY_CONNECTED")  # what XNNPACK leaves to LiteRT
LENGTHS = (1, 7, 61)


@pytest.fixture(scope="module")
def recogniser():
    """Float, of random weights."""
    front_end = FrontEndConfig(mel_bins=BINS)
    encoder = dataclasses.replace(ENCODER, blocks=1)  # the cascade has two
    config = ModelConfig(encoder, front_end, transducer=TRANSDUCER, streaming=STREAMING)
    tokenizer = Tokenizer.train(["ABC DEF"], 20, "char")
    made = Recogniser.create(config, tokenizer, np.zeros(BINS), np.ones(BINS))
    rng = np.random.default_rng(0)
    for weights in made.model.trainable_weights:
        weights.assign_add(0.1 * rng.standard_normal(weights.shape))
    return made


@pytest.fixture(
    scope="module",
    params=[long_case(None), long_case(FLOAT_ACTIVATIONS), MIXED],
    ids=["float", "w4", "mix"],
)
def exported(request, recogniser, tmp_path_factory):
    """A recogniser and its file."""
    if request.param is not None:
        recogniser = quantized(recogniser, request.param)
    path = tmp_path_factory.mktemp("live") / "live.tflite"
    path.write_bytes(convert_recogniser(recogniser))
    return recogniser, TFLiteRecogniser(path)


def streamed(device, features, chunks):
    """Encoded frames of both passes, `[frames, joint]` each."""
    live = device.metadata.live
    tables = device.call("positions", one=np.ones(1, np.float32))
    states = {
        encoder: {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
        for encoder, shapes in live.states.items()
    }

    def step(encoder, size, **inputs):
        own = {name: tables[name] for name in live.positions[encoder]}
        found = dict(device.call(f"{encoder}_{size}", **inputs, **own, **states[encoder]))
        states[encoder] = {name: found.pop(name) for name in states[encoder]}
        return found

    found, at, index = [], 0, 0
    while at < subsampled_length(len(features)) + live.second_delay:
        size = chunks[index % len(chunks)]
        chunk = features[live.features * at : live.features * (at + size)]
        missing = live.features * size - len(chunk)
        valid = np.pad(np.ones(len(chunk), np.float32), (0, missing))[None]
        padded = np.pad(chunk, ((0, missing), (0, 0)))[None]
        first = step("causal", size, features=padded, valid=valid)
        second = step("cascade", size, frames=first["frames"], valid=first["valid"])
        found.append([part["encoded"][part["valid"] > 0] for part in (first, second)])
        at, index = at + size, index + 1
    return [np.concatenate(parts) for parts in zip(*found, strict=True)]


@hypothesis.settings(max_examples=5, deadline=None)
@hypothesis.given(
    length=st.sampled_from(LENGTHS),
    chunks=st.lists(st.sampled_from([1, 3]), min_size=1, max_size=9),
)
@hypothesis.example(length=LENGTHS[0], chunks=[1])
@hypothesis.example(length=LENGTHS[-1], chunks=[3])
def test_a_stream_is_the_keras_model(exported, length, chunks):
    recogniser, device = exported
    features = normal(length, length)
    found = streamed(device, features, chunks)
    for expected, ours in zip(whole(recogniser.model, features), found, strict=True):
        assert ours.shape == expected.shape
        if recogniser.config.quantization == MIXED:
            # An activation on a rounding edge moves all that is heard after it by a little; that
            # the products are the same, the next test shows.
            np.testing.assert_allclose(ours, expected, atol=np.ptp(expected) / 50)
        else:
            np.testing.assert_allclose(ours, expected, atol=2e-5)


def test_most_streams_of_a_mixture_are_the_keras_model(exported):
    """To the last bits in the median: those in which no activation is on a rounding edge."""
    recogniser, device = exported
    if recogniser.config.quantization != MIXED:
        pytest.skip("all of them are, see above")
    same = []
    for seed in range(5):
        features = normal(LENGTHS[-1], seed)
        pairs = zip(whole(recogniser.model, features), streamed(device, features, [3]), strict=True)
        same += [np.median(np.abs(ours - expected)) < 1e-5 for expected, ours in pairs]
    assert np.mean(same) >= 0.6, same


def test_every_product_is_equal(exported):
    """On LiteRT's own inputs, in the steps of both lengths and in every signature."""
    recogniser, device = exported
    rows = product_errors(device.path, recogniser, [normal(length, length) for length in LENGTHS])
    quantized_names = quantized_layers(recogniser.model).keys() - set(CTC_HEAD.values())
    assert {row.layer for row in rows} == quantized_names
    for row in rows:
        assert row.max_error < 1e-5, row
        assert row.rows >= 1


@pytest.mark.long
def test_against_the_keras_model(exported, tflite_export, manifest, tmp_path):
    recogniser, device = exported
    recogniser.save(tmp_path / "model")
    words = ("--streaming", "--compare", tmp_path / "model", "--json", "--quiet")
    one = tmp_path / "one.jsonl"  # recording: each product of each step is compared
    one.write_text(manifest.read_text().splitlines()[0] + "\n")
    words = ("evaluate", device.path, "--data", one, *words)
    code, printed, err = tflite_export(*words, "--hypotheses", tmp_path / "h.jsonl")
    assert (code, err) == (0, "")
    found = json.loads(printed)["against_keras"]
    for name in ("first", "second"):
        own = found[name]
        assert own["identical_hypotheses"] + len(own["different"]) == 1
        if recogniser.config.quantization != MIXED:  # a few are on a rounding edge
            assert own["different"] == []
    assert all(row["max_error"] < 1e-5 for row in found["products"])
    assert bool(found["products"]) == (recogniser.config.quantization is not None)


def test_another_model_differs(exported, recogniser):
    mine, device = exported
    if mine.config.quantization is None:
        pytest.skip("float products are not compared")
    other = quantized(recogniser, mine.config.quantization)
    kernel = quantized_layers(other.model)["cascade_00_ffn1_expand"].kernel
    kernel.assign(kernel[::-1])  # the same scales
    rows = product_errors(device.path, other, [normal(13, 0)])
    wrong = [row.layer for row in rows if row.max_error > 1e-3]
    assert wrong == ["cascade_00_ffn1_expand"]


def test_the_file_tells_how_to_stream(exported):
    _, device = exported
    live = device.metadata.live
    assert (live.frame_ms, live.features, live.chunks) == (40, 4, (1, 3))
    assert live.delays_ms == (40, 200)
    signatures = device.signatures
    chunks = [f"{encoder}_{size}" for encoder in ("causal", "cascade") for size in live.chunks]
    assert {"positions", "predict", "join", *chunks} == set(signatures.names())
    for name in chunks:
        encoder = name.partition("_")[0]
        for part in (signatures.inputs(name), signatures.outputs(name)):
            shapes = {key: tuple(map(int, tensor["shape"])) for key, tensor in part.items()}
            assert live.states[encoder].items() <= shapes.items()
        assert live.positions[encoder].keys() <= signatures.inputs(name).keys()


def test_widths_and_operators(exported):
    recogniser, device = exported
    found = inspect(device.path)
    assert not found.custom_operators
    assert not found.folded_tables
    for name, graph in found.delegated.items():
        if name in ("predict", "join"):
            continue
        assert graph.rest.keys() <= set(WITH_FLOAT_ACTIVATIONS), name
        if recogniser.config.quantization != FLOAT_ACTIVATIONS:
            assert graph.share == 1, name
    if recogniser.config.quantization == MIXED:
        layers = device.metadata.layers
        assert layers["block_00_attention_position"] == "w8a8"
        assert layers["cascade_00_attention_position"] == "w4a8"
        assert not {"joint_encoder", "ctc_output", "ctc_cascade"} & layers.keys()
        assert {"joint_cascade", "joint_output"} <= layers.keys()


def test_a_live_model_has_no_lengths(recogniser, tmp_path):
    recogniser.save(tmp_path / "model")
    with pytest.raises(UserError, match="--seconds: a live model takes audio of any length"):
        convert(tmp_path / "model", tmp_path / "x.tflite", seconds=(4.0,))


def test_the_widths_in_words(exported):
    recogniser, device = exported
    eights = list(device.metadata.layers.values()).count("w8a8")
    if recogniser.config.quantization == MIXED:
        assert eights > 0 and device.metadata.widths == f"w4a8, {eights} layers w8a8"
    else:
        assert device.metadata.widths == device.metadata.precision


def test_a_model_of_whole_utterances_does_not_stream(exported_transducer):
    assert TFLiteRecogniser(exported_transducer("float")).metadata.live is None
