"""Quantized models of stock layers come back from a file."""

import numpy as np
import pytest
from tensorflow import keras

import asr_qat
from tests.stock_fixtures import labels, outputs, randomize, values

L = keras.layers


def sequence() -> keras.Model:
    x = keras.Input((6,), dtype="int32")
    h = L.Embedding(20, 8, mask_zero=True)(x)
    h = L.MultiHeadAttention(2, 4)(h, h, use_causal_mask=True)
    h = L.Bidirectional(L.LSTM(4, return_sequences=True))(h)
    return keras.Model(x, L.GRU(4, return_state=True)(h)[0])


def image() -> keras.Model:
    x = keras.Input((8, 8, 4))
    h = L.SeparableConv2D(8, 3, strides=2)(x)
    h = L.DepthwiseConv2D(3, padding="same")(L.Conv2D(6, 2, name="patched")(h))
    h = L.Conv1D(8, 2, padding="causal")(L.Reshape((4, 6))(h))
    h = L.TimeDistributed(L.EinsumDense("ab,bcd->acd", (2, 4), bias_axes="cd"))(h)
    return keras.Model(x, h)


@pytest.mark.parametrize("made", [sequence, image])
def test_saved_and_loaded(made, tmp_path):
    inputs = values((2, 8, 8, 4)) if made is image else labels((2, 6), 20)
    model = randomize(made())
    patches = "patched" if any(layer.name == "patched" for layer in model.layers) else None
    quantized = asr_qat.quantize_model(model, "w4a8", patches=patches)
    expected = outputs(quantized, inputs)
    quantized.save(tmp_path / "model.keras")
    with asr_qat.quantize_scope():
        loaded = keras.models.load_model(tmp_path / "model.keras")
    for one, other in zip(expected, outputs(loaded, inputs), strict=True):
        np.testing.assert_array_equal(one, other)
