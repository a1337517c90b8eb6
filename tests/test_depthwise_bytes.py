"""Depthwise convolutions of a recogniser, held in eight bits where an override asks for them."""

import numpy as np
import pytest
from tensorflow import keras

from asr_qat.errors import UserError
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import QuantizationConfig, quantize_model, quantized_layers
from asr_qat.quantize.depthwise import product_of
from asr_qat.training.quantized import post_training
from tests.export_fixtures import noise, quantized
from tflite_export.convert.convert import convert, convert_recogniser
from tflite_export.convert.full_integer.convert import convert_full_integer
from tflite_export.runtime.metadata import read_metadata
from tflite_export.score.inspect import inspect
from tflite_export.score.product_equality import product_errors

pytest_plugins = ["tests.export_fixtures"]
NAMES = ["subsampling_depthwise", "block_00_conv_depthwise"]
LAYERS = keras.layers


@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("kind", [LAYERS.DepthwiseConv1D, LAYERS.DepthwiseConv2D])
def test_the_same_as_the_stock_layer(kind, padding):
    stock = kind(3, strides=2, padding=padding, activation="relu", name="stock")
    x = np.random.default_rng(0).standard_normal((2, 9, 7, 4)[3 - stock.rank - 1 :])
    expected = stock(x)  # has weights now
    own = product_of(stock)
    assert own.name == "stock"
    np.testing.assert_allclose(own(x), expected, atol=1e-6)


def test_only_an_override_of_eight_bits_and_float_activations(float_recogniser):
    def widths(precision, **overrides):
        config = QuantizationConfig(precision, overrides=overrides)
        layers = quantized_layers(quantize_model(float_recogniser.model, config))
        return {name: layers[name].precision.name for name in NAMES if name in layers}

    assert widths("w8") == widths("w4a8") == widths("two_bit_all") == {}
    assert widths("w4a8", **{"^block_00_": "w8a8"}) == widths("w4", **{"depthwise": "w4"}) == {}
    assert widths("w4a8", **{"conv_depthwise$": "w8"}) == {NAMES[1]: "w8"}
    assert widths("ternary") == dict.fromkeys(NAMES, "w8")


def test_the_kernel_is_rounded_and_trained(float_recogniser):
    found = quantized(float_recogniser, QuantizationConfig("ternary")).model.get_layer(NAMES[1])
    kernel = float_recogniser.model.get_layer(NAMES[1]).get_weights()[0][..., 0]
    scale = np.abs(kernel).max(axis=0) / np.float32(127)
    x = noise(20)[None, :, :16]
    stock = float_recogniser.model.get_layer(NAMES[1])
    rounded = LAYERS.DepthwiseConv1D.from_config(stock.get_config())
    rounded.build(x.shape)
    rounded.set_weights([(np.rint(kernel / scale) * scale)[..., None], stock.bias.numpy()])
    np.testing.assert_allclose(found(x), rounded(x), rtol=1e-5, atol=1e-5)
    assert [weight.shape for weight in found.trainable_weights] == [(5, 16), (16,)]


@pytest.mark.slow
def test_the_file(float_recogniser, model_directory, tmp_path):
    path, plain = tmp_path / "ternary.tflite", tmp_path / "w2.tflite"
    convert(model_directory, path, "ternary", (1.0, 2.0))
    convert(model_directory, plain, "w2a8-learned", (1.0, 2.0))
    found = post_training(float_recogniser, "ternary")
    assert path.read_bytes() == convert_recogniser(found, None, (1.0, 2.0))
    rows = product_errors(path, found, [noise(198, 0), noise(61, 1)])
    assert {row.layer for row in rows} == quantized_layers(found.model).keys() > set(NAMES)
    assert all(row.max_error < 1e-5 for row in rows), rows
    assert {read_metadata(path).layers[name] for name in NAMES} == {"w8"}
    by_layer = inspect(path).bytes_by_layer
    assert [by_layer[name] for name in NAMES] == [9 * 8 + 4 * 8, 5 * 16 + 4 * 16]  # with scales
    # Integers in place of floats, a scale for each channel, and the DEQUANTIZE of each signature.
    assert path.stat().st_size < plain.stat().st_size + 3000
    found.save(tmp_path / "model")
    again = tmp_path / "again.tflite"
    convert(tmp_path / "model", again, seconds=(1.0, 2.0))
    assert again.read_bytes() == path.read_bytes()
    assert Recogniser.load(tmp_path / "model").config.quantization.precision == "ternary"


@pytest.mark.slow
def test_no_full_integer_file(float_recogniser):
    with pytest.raises(UserError, match="subsampling_depthwise: w8: a full-integer file quantizes"):
        convert_full_integer(post_training(float_recogniser, "ternary"), 8, [])
