"""Files without a float tensor: the graph they are made of, their integers, what they recognise."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat.audio.decode import read_audio
from asr_qat.audio.front_end import subsampled_length
from asr_qat.corpora.recordings import recordings
from asr_qat.errors import UserError
from asr_qat.layers.masking import FrameMask
from asr_qat.models.ctc import build_ctc
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.training.calibrated import Calibration
from asr_qat.training.quantized import post_training
from tests.export_fixtures import FRAMES, SECONDS, quantized, rounded_model
from tests.test_export_convert import integers, kernels
from tflite_export.convert.bake import bake, layers_in_file
from tflite_export.convert.full_integer.calibrate import SOFTMAX_REACH, _range
from tflite_export.convert.full_integer.convert import convert_full_integer
from tflite_export.convert.full_integer.graph import integer_model
from tflite_export.convert.full_integer.layers import SampledMask
from tflite_export.runtime.integers import dequantized
from tflite_export.runtime.integers import quantized as to_integers
from tflite_export.runtime.layer_scopes import layer_of
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.inspect import inspect

pytest_plugins = ["tests.export_fixtures"]

TYPES = {8: {"INT8", "INT4", "INT32"}, 16: {"INT16", "INT8", "INT4", "INT32", "INT64"}}
ACTIVATION = {8: schema.TensorType.INT8, 16: schema.TensorType.INT16}


def mask(frames: int, length: int) -> np.ndarray:
    return (np.arange(frames) < length).astype(np.float32)[None]


IMPORTED = {"subsampling_factor": 8, "subsampling_kind": "striding", "conv_norm": "none"}


@pytest.mark.parametrize(
    ("context", "changes"), [(None, {}), (1, {}), (3, {}), (50, {}), (None, IMPORTED)]
)
def test_the_graph_is_the_model(context, changes):
    """On the valid frames, whatever is padded after them."""
    config = EncoderConfig(
        *(2, 8, 2), attention_context=context, feed_forward=8, kernel=3, subsampling=4, **changes
    )
    model = build_ctc(config, vocab_size=5, mel_bins=8)
    rng = np.random.default_rng(0)
    for variable in model.trainable_variables:  # biases and gains too
        variable.assign_add(rng.normal(0, 0.3, variable.shape).astype(np.float32))
    frames, length = 42, 29
    encoded = subsampled_length(length, config.halvings)
    copy = integer_model(model, frames, context)
    features = rng.standard_normal((1, frames, 8)).astype(np.float32)
    expected = model([features, np.array([length])]).numpy()[0, :encoded]
    features[0, length:] = 7.0
    got = copy([features, mask(frames, length)]).numpy()[0, :encoded]
    np.testing.assert_allclose(got, expected, atol=1e-4)


@pytest.mark.parametrize("halvings", [0, 1, 2])
def test_sampled_mask_is_that_of_the_length(halvings):
    for frames in (7, 8, 9, 10):
        halved = np.zeros((1, subsampled_length(frames, halvings), 3), np.float32)
        for length in range(1, frames + 1):
            expected = FrameMask(halvings)([tf.constant(halved), tf.constant([length])])
            got = SampledMask(halvings)([halved, tf.constant(mask(frames, length))])
            np.testing.assert_array_equal(got, expected)


def test_scores_of_masked_frames_do_not_widen_the_range():
    scores = np.array(
        [[3.0, 1.0, -4000.0], [-5.0, -4000.0, -9.0], [-4090.0, -4001.0, -4002.0]], np.float32
    )
    assert _range(scores, scores=True) == (-5.0 - SOFTMAX_REACH, 3.0)
    assert _range(scores, scores=False) == (-4090.0, 3.0)


def test_integers_are_those_of_the_device():
    detail = {"quantization": (0.5, -3), "dtype": np.int8}
    values = np.array([0.0, 0.25, 0.75, -0.25, 1000.0, -1000.0], np.float32)
    found = to_integers(values, detail)
    np.testing.assert_array_equal(found, [-3, -3, -1, -3, 127, -128])  # half to even
    np.testing.assert_array_equal(dequantized(found[:3], detail), [0.0, 0.0, 1.0])


def test_what_cannot_be_is_refused(float_recogniser, tmp_path, manifest):
    with pytest.raises(UserError, match="expected 8 or 16"):
        convert_full_integer(float_recogniser, 4, [])
    with pytest.raises(UserError, match="no speech to calibrate on"):
        convert_full_integer(float_recogniser, 8, [])
    with pytest.raises(UserError, match="a transducer"):
        transducer = dataclasses.replace(float_recogniser.config, transducer=object())
        convert_full_integer(dataclasses.replace(float_recogniser, config=transducer), 8, [])
    with pytest.raises(UserError, match="expected 1 or more"):
        Calibration(manifest, 0).recordings()
    with pytest.raises(UserError, match="none.jsonl: no speech to calibrate on"):
        Calibration(tmp_path / "none.jsonl").recordings()


def test_blocks_are_refused(float_recogniser):
    blocks = quantized(
        float_recogniser, QuantizationConfig("float", overrides={"_ffn1_project": "w4a8-b32"})
    )
    with pytest.raises(UserError, match="block_00_ffn1_project: w4a8-b32: .* train without -b"):
        convert_full_integer(blocks, 8, [])


def test_command_asks_for_speech(tflite_export, model_directory, tmp_path):
    words = ("convert", model_directory, "-o", tmp_path / "x.tflite")
    code, _, error = tflite_export(*words, "--full-integer", "int8")
    assert code != 0 and "add --calibration" in error


@pytest.fixture(scope="module")
def utterances(manifest):
    return Calibration(manifest, 6).recordings()


@pytest.fixture(scope="module")
def w4a8(float_recogniser):
    return post_training(float_recogniser, "w4a8")


@pytest.fixture(scope="module")
def file_of(w4a8, utterances, tmp_path_factory):
    """The full-integer file of a width, converted when first asked for."""
    folder = tmp_path_factory.mktemp("full_integer")

    def convert(bits: int):
        path = folder / f"int{bits}.tflite"
        if not path.exists():
            path.write_bytes(convert_full_integer(w4a8, bits, utterances, SECONDS, quiet=True))
        return path

    return convert


@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 16])
def test_every_tensor_is_an_integer(file_of, bits):
    found = inspect(file_of(bits))
    assert set(found.tensor_types) == TYPES[bits]
    assert found.full_integer == bits
    assert not found.custom_operators and not found.largest_float
    assert {"QUANTIZE", "DEQUANTIZE", "CAST"}.isdisjoint(found.operators["total"])
    model = flatbuffer_utils.read_model(str(file_of(bits)))
    for graph in model.subgraphs:
        for index in (*graph.inputs, *graph.outputs):
            assert graph.tensors[index].type == ACTIVATION[bits]


@pytest.mark.slow
@pytest.mark.parametrize("bits", [8, 16])
def test_trained_integers_survive(file_of, w4a8, bits):
    model = flatbuffer_utils.read_model(str(file_of(bits)))
    layers = bake(layers_in_file(w4a8))
    first, second = kernels(model)
    assert first.keys() == layers.keys()
    assert {n: t.buffer for n, t in first.items()} == {n: t.buffer for n, t in second.items()}
    for name, kernel in first.items():
        assert kernel.type == schema.TensorType.INT4
        np.testing.assert_array_equal(integers(model, kernel), layers[name].integers)
        ratio = np.asarray(kernel.quantization.scale) / layers[name].scale
        np.testing.assert_allclose(ratio, ratio[0], rtol=1e-6)  # the factor that was merged


@pytest.fixture(scope="module")
def speech(file_of, utterances) -> list[np.ndarray]:
    """Features of the utterances that the ranges come from."""
    device = TFLiteRecogniser(file_of(8))
    return [device.features(read_audio(u.audio_path)) for u in utterances]


@pytest.mark.slow
@pytest.mark.parametrize(("bits", "near"), [(8, 0.1), (16, 0.01)])
def test_logits_are_near_those_of_the_model(file_of, w4a8, speech, bits, near):
    """That with the trained weights and float activations."""
    device = TFLiteRecogniser(file_of(bits))
    plain = rounded_model(w4a8)
    for features in speech:
        expected = plain([features[None], np.array([len(features)])]).numpy()[0]
        got = device.encode(features)
        assert got.shape == expected.shape
        assert np.abs(got - expected).mean() < near * expected.std()


@pytest.mark.slow
def test_padding_changes_little(file_of, speech):
    """An utterance in the short signature and, with an empty second after it, in the long one.

    In the softmax a masked frame weighs up to 6e-6 of the best one, which moves a rounding.
    """
    device = TFLiteRecogniser(file_of(8))
    features = speech[0][: FRAMES[0]]
    alone = device.encode(features)
    device._lengths.pop(FRAMES[0])
    padded = device.encode(features)
    assert np.abs(padded - alone).mean() < 0.05 * alone.std()


@pytest.mark.slow
def test_trained_ranges_are_kept(float_recogniser, utterances, tmp_path):
    """Of static activations: scale and zero point of a product's input and output."""
    recogniser = quantized(float_recogniser, QuantizationConfig("w4a8s"))
    rng = np.random.default_rng(0)
    for layer in recogniser.model.layers:
        for variable in layer.weights:
            if variable.name.endswith(("_low:0", "_high:0")):
                sign = -1 if "_low" in variable.name else 1
                variable.assign(sign * rng.uniform(1, 4))
    path = tmp_path / "static.tflite"
    path.write_bytes(convert_full_integer(recogniser, 8, utterances, SECONDS[:1], quiet=True))
    model = flatbuffer_utils.read_model(str(path))
    (graph,) = model.subgraphs
    layers = bake(layers_in_file(recogniser))
    alone = ("subsampling_pointwise", "block_00_attention_output", "ctc_output")
    checked = 0
    for operator in graph.operators:
        output = graph.tensors[operator.outputs[0]]
        name = layer_of((output.name or b"").decode().partition("/product")[0])
        if name in alone:
            for tensor, (scale, zero_point) in (
                (graph.tensors[operator.inputs[0]], layers[name].input),
                (output, layers[name].output),
            ):
                assert tensor.quantization.scale[0] == pytest.approx(scale, rel=1e-5)
                assert tensor.quantization.zeroPoint[0] == zero_point
            checked += 1
    assert checked == len(alone)


@pytest.mark.slow
def test_commands_take_the_file(tflite_export, model_directory, manifest, tmp_path):
    path = tmp_path / "int8.tflite"
    code, out, error = tflite_export(
        *("convert", model_directory, "-o", path, "--precision", "w4a8", "--seconds", 1),
        *("--full-integer", "int8", "--calibration", manifest, "--calibration-utterances", 4),
    )
    assert code == 0, error
    last = out.splitlines()[-1]
    assert last == f"{path}: {path.stat().st_size:,} bytes, w4a8, full-integer, int8"
    code, out, error = tflite_export("evaluate", path, "--data", manifest, "--quiet")
    assert code == 0 and "ptq w4a8, full-integer, int8" in out, error
    items = recordings(manifest)
    code, out, error = tflite_export("transcribe", path, items[0].audio_path)
    assert code == 0, error
    code, out, error = tflite_export("inspect", path)
    assert code == 0 and "full-integer, int8" in out and "FLOAT" not in out, error
