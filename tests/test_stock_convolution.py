"""Convolutions in products, against the stock layers."""

import numpy as np
import pytest
from tensorflow import keras

from asr_qat.quantize.apply import QuantizationConfig, quantize_model, quantized_layers
from asr_qat.quantize.conv import Conv2D
from asr_qat.quantize.dense import Dense
from asr_qat.quantize.stock.rules import in_products
from tests.stock_fixtures import outputs, randomize, rewritten, values

L = keras.layers


def names(model) -> list[str]:
    return [layer.name for layer in model.layers if layer.weights]


@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("rank", [1, 2])
def test_one_element_is_a_dense_product(rank, strides):
    conv = {1: L.Conv1D, 2: L.Conv2D}[rank]
    x = keras.Input([None] * rank + [3])
    h = conv(4, 1, strides=strides, use_bias=False, padding="same", name="conv")(x)
    model = keras.Model(x, L.ReLU()(L.BatchNormalization(name="norm")(h)))
    assert names(rewritten(model, values([2] + [5] * rank + [3]))) == ["conv"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"padding": "same"},
        {"padding": "valid", "depth_multiplier": 2, "strides": 2},
        {"padding": "same", "dilation_rate": 2, "use_bias": False},
        {"padding": "same", "activation": "relu"},
    ],
)
@pytest.mark.parametrize(
    "kind",
    [
        lambda **more: L.DepthwiseConv1D(3, **more),
        lambda **more: L.DepthwiseConv2D((3, 2), **more),
        lambda **more: L.SeparableConv1D(5, 3, **more),
        lambda **more: L.SeparableConv2D(5, (2, 3), **more),
    ],
)
def test_depthwise(kind, arguments):
    layer = kind(**arguments)
    x = keras.Input([None] * layer.rank + [3])
    rewritten(keras.Model(x, layer(x)), values([2] + [6] * layer.rank + [3]))


def test_causal():
    x = keras.Input((None, 3))
    layer = L.SeparableConv1D(5, 3, padding="causal", dilation_rate=2, name="conv")
    found = rewritten(keras.Model(x, layer(x)), values((2, 6, 3)))
    assert names(found) == ["conv.depthwise", "conv.pointwise"]


def test_batch_normalisation_is_folded():
    x = keras.Input((6, 6, 3))
    h = L.DepthwiseConv2D(3, use_bias=False, depth_multiplier=2, name="depthwise")(x)
    h = L.ReLU()(L.BatchNormalization(name="first")(h))
    h = L.SeparableConv2D(4, 2, name="separable")(h)
    h = L.BatchNormalization(name="second", scale=False)(h)
    found = rewritten(keras.Model(x, h), values((2, 6, 6, 3)))
    assert names(found) == ["depthwise", "separable.depthwise", "separable.pointwise"]


@pytest.mark.parametrize("patches", [None, "conv"])
@pytest.mark.parametrize(
    ("arguments", "lengths"),
    [
        ({"padding": "same", "activation": "relu"}, (5, 6)),
        ({"padding": "same", "strides": 2, "use_bias": False}, (6, 7)),
        ({"padding": "valid", "dilation_rate": 2}, (7, 8)),
    ],
)
def test_larger_kernels(arguments, lengths, patches):
    """In both directions and in one, of known and of unknown lengths."""
    for known in (True, False):
        x = keras.Input((*lengths, 3) if known else (None, None, 3))
        model = keras.Model(x, L.Conv2D(4, (2, 3), name="conv", **arguments)(x))
        found = rewritten(model, values((2, *lengths, 3)), patches=patches)
        assert isinstance(found.get_layer("conv"), Dense if patches else Conv2D)
    x = keras.Input((lengths[0], 3))
    h = L.Conv1D(4, 3, name="conv", **arguments)(x)
    h = L.BatchNormalization()(h) if "activation" not in arguments else h
    found = rewritten(keras.Model(x, h), values((2, lengths[0], 3)), patches=patches)
    assert names(found) == ["conv"]


@pytest.mark.parametrize("patches", [None, "conv"])
def test_causal_convolution(patches):
    x = keras.Input((None, 3))
    layer = L.Conv1D(5, 3, padding="causal", dilation_rate=2, name="conv")
    rewritten(keras.Model(x, layer(x)), values((2, 6, 3)), patches=patches)


def test_what_stays():
    x = keras.Input((6, 6, 4))
    h = L.Conv2D(4, 1, groups=2, name="groups")(x)
    model = keras.Model(x, L.Dense(2)(h))
    rewritten(model, values((2, 6, 6, 4)), left=("groups",))


def test_a_quantized_depthwise_convolution_has_eight_bits():
    """Integers of 127 steps and a scale of each channel, its inputs float."""
    x = keras.Input((6, 3))
    model = randomize(keras.Model(x, L.DepthwiseConv1D(3, use_bias=False, name="conv")(x)))
    quantized = quantize_model(in_products(model), QuantizationConfig("w4a8"))
    layer = quantized_layers(quantized)["conv"]
    assert layer.precision.name == "w8"
    kernel = model.get_weights()[0].reshape(3, 3)
    scale = np.abs(kernel).max(axis=0) / np.float32(127)
    model.set_weights([(np.round(kernel / scale) * scale).reshape(3, 3, 1)])
    inputs = values((2, 6, 3))
    np.testing.assert_allclose(
        outputs(quantized, inputs)[0], outputs(model, inputs)[0], rtol=1e-5, atol=1e-6
    )
