"""Every family of stock layers, quantized, exported, and each of its products compared."""

from collections.abc import Callable

import numpy as np
import pytest
from tensorflow import keras

import asr_qat
import tflite_export
from asr_qat.errors import UserError
from tests.conftest import long_case

layers = keras.layers
Made = tuple[keras.Model, np.ndarray]


def signal(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, *shape)).astype(np.float32)


def ended(x, y) -> keras.Model:
    return keras.Model(x, layers.Dense(3, name="out")(y))


def transformer() -> Made:
    ids = keras.Input((12,), dtype="int32", name="ids")
    y = layers.Embedding(50, 32, name="table")(ids)
    y = layers.Add()([y, layers.MultiHeadAttention(4, 8, name="attention")(y, y)])
    y = layers.LayerNormalization()(y)
    y = layers.EinsumDense("abc,cde->abde", (None, 2, 8), bias_axes="de", name="einsum")(y)
    y = layers.TimeDistributed(layers.Dense(6), name="each")(layers.Reshape((12, 16))(y))
    model = ended(ids, layers.GlobalAveragePooling1D()(y))
    return model, np.random.default_rng(0).integers(0, 50, (4, 12)).astype(np.int32)


def recurrent() -> Made:
    x = keras.Input((6, 16), name="x")
    y = layers.Bidirectional(layers.LSTM(8, return_sequences=True, name="lstm"), name="both")(x)
    y = layers.GRU(12, return_sequences=True, name="gru")(y)
    return ended(x, layers.GRU(8, reset_after=False, name="old_gru")(y)), signal(6, 16)


def masked() -> Made:
    """Labels, of which 0 is none; with masks all outputs are those of the labels alone."""
    ids = keras.Input((6,), dtype="int32", name="ids")
    y = layers.Embedding(20, 8, mask_zero=True, name="table")(ids)
    y = layers.MultiHeadAttention(2, 4, name="attention")(y, y, use_causal_mask=True)
    y = layers.LSTM(8, return_sequences=True, name="lstm")(y)
    model = ended(ids, layers.GlobalAveragePooling1D()(y))
    given = np.random.default_rng(0).integers(1, 20, (4, 6)).astype(np.int32)
    given[0, 4:] = given[1, 2] = 0
    return model, given


def images() -> Made:
    x = keras.Input((12, 12, 8), name="x")
    y = layers.SeparableConv2D(16, 3, padding="same", name="separable")(x)
    y = layers.ReLU(6.0)(layers.BatchNormalization()(y))
    y = layers.DepthwiseConv2D(3, strides=2, name="depthwise")(y)
    y = layers.Conv2D(8, 3, strides=2, padding="same", name="conv")(layers.ReLU()(y))
    return ended(x, layers.Flatten()(y)), signal(12, 12, 8)


def sound() -> Made:
    x = keras.Input((30, 8), name="x")
    y = layers.Conv1D(16, 5, padding="causal", activation="relu", name="conv")(x)
    y = layers.SeparableConv1D(16, 3, name="separable")(y)
    y = layers.Conv1D(12, 1, name="pointwise")(y)
    return ended(x, layers.GlobalMaxPooling1D()(y)), signal(30, 8)


def nested() -> Made:
    inner = keras.Sequential([keras.Input((8,)), layers.Dense(8, "relu"), layers.Dense(8)])
    x = keras.Input((8,), name="x")
    return ended(x, inner(inner(x) * 2.0)), signal(8)


FAMILIES = [(transformer, 8), (recurrent, 9), (masked, 8), (images, 5), (sound, 5), (nested, 3)]


@pytest.mark.parametrize(
    ("make", "count", "precision"),
    [
        *((*family, "w4a8") for family in FAMILIES),
        (sound, 5, "w2a8"),
        *(long_case(*family, "w2a8") for family in FAMILIES if family[0] is not sound),
    ],
)
def test_every_product_is_equal(make: Callable[[], Made], count: int, precision: str, tmp_path):
    keras.utils.set_random_seed(0)
    model, inputs = make()
    quantized = asr_qat.quantize_model(model, precision)
    tflite_export.export(quantized, tmp_path / "m.tflite")
    found = tflite_export.verify(quantized, tmp_path / "m.tflite", inputs)
    assert found.not_in_file == ()
    assert len(found.products) == count
    assert found.max_product_error < 1e-6


def test_patches_have_four_bits(tmp_path):
    model, inputs = images()
    quantized = asr_qat.quantize_model(model, "w4a8", patches="^conv$")
    assert asr_qat.quantized_layers(quantized)["conv"].precision.name == "w4a8"
    tflite_export.export(quantized, tmp_path / "m.tflite")
    found = tflite_export.verify(quantized, tmp_path / "m.tflite", inputs)
    assert found.max_product_error < 1e-6


def test_a_recurrence_needs_a_number_of_steps(tmp_path):
    x = keras.Input((None, 4), name="x")
    quantized = asr_qat.quantize_model(ended(x, layers.GRU(4, name="gru")(x)), "w4a8")
    with pytest.raises(UserError, match=r"gru\.recurrent: .* fixed number of steps"):
        tflite_export.export(quantized, tmp_path / "m.tflite")
    shapes = {"five": (1, 5, 4), "nine": (1, 9, 4)}
    tflite_export.export(quantized, tmp_path / "m.tflite", shapes)
    for name, (_, steps, _) in shapes.items():
        found = tflite_export.verify(quantized, tmp_path / "m.tflite", signal(steps, 4), name)
        assert found.max_product_error < 1e-6
