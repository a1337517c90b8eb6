"""Embeddings in products: a table with a scale for each row."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from asr_qat.quantize.apply import QuantizationConfig, quantize_model, quantized_layers
from asr_qat.quantize.precision import parse
from asr_qat.quantize.rows import QuantizedRows, RowEmbedding
from asr_qat.quantize.stock.rules import in_products
from tests.stock_fixtures import labels, outputs, rewritten, values

L = keras.layers
VOCABULARY = 11


def test_embedding():
    x = keras.Input((None,))  # float, as Keras takes them
    model = keras.Model(x, L.Embedding(VOCABULARY, 6, name="words")(x))
    found = rewritten(model, labels((2, 5), VOCABULARY).astype(np.float32))
    assert isinstance(found.get_layer("words"), RowEmbedding)


def test_shared_embedding():
    x, y = keras.Input((4,), dtype="int32"), keras.Input((5,), dtype="int64")
    words = L.Embedding(VOCABULARY, 6, name="words")
    model = keras.Model([x, y], L.Concatenate(1)([words(x), words(y)]))
    rewritten(model, [labels((2, 4), VOCABULARY), labels((2, 5), VOCABULARY).astype(np.int64)])


@pytest.mark.parametrize(
    "reader",
    [
        lambda h: L.GlobalAveragePooling1D()(L.Dense(3)(h)),
        lambda h: L.LSTM(3)(L.GRU(4, return_sequences=True)(h)),
        lambda h: L.GlobalAveragePooling1D()(L.MultiHeadAttention(2, 3)(h, h)),
        lambda h: L.SimpleRNN(3, name="simple")(h),
    ],
)
def test_zero_is_masked(reader):
    x = keras.Input((5,), dtype="int32")
    model = keras.Model(x, reader(L.Embedding(VOCABULARY, 6, mask_zero=True)(x)))
    ids = labels((3, 5), VOCABULARY - 1) + 1
    ids[0, 3:] = ids[1, 2] = ids[2, 0] = 0
    simple = any(layer.name == "simple" for layer in model.layers)
    rewritten(model, ids, left=("simple",) if simple else ())


@pytest.mark.parametrize("bits", [8, 4, 2])
def test_rows_are_integers_times_their_scale(bits):
    table = values((VOCABULARY, 8))
    ids = labels((3, 4), VOCABULARY)
    found = QuantizedRows(tf.constant(table), parse(f"w{bits}")).rows(ids).numpy()
    scale = np.abs(table).max(axis=1, keepdims=True) / np.float32(2 ** (bits - 1) - 1)
    expected = np.round(table / scale) * scale
    np.testing.assert_allclose(found, expected[ids], rtol=1e-6)


def test_gradient_is_that_of_the_rows_that_were_read():
    table = tf.Variable(values((VOCABULARY, 8)))
    ids, upstream = tf.constant([[1, 3, 1]]), values((1, 3, 8), 1)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(QuantizedRows(table, parse("w4")).rows(ids) * upstream)
    gradient = tape.gradient(total, table)
    assert isinstance(gradient, tf.IndexedSlices)
    expected = np.zeros((VOCABULARY, 8), np.float32)
    np.add.at(expected, [1, 3, 1], upstream[0])
    np.testing.assert_allclose(tf.convert_to_tensor(gradient), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("units", "wanted", "executed"),
    [
        (8, "w2a8", "w2"),
        (6, "w2a8", "w4"),
        (7, "w2a8-asym-learned", "w8-clip"),
        (7, "w4a8", "w8"),
        (6, "w3a8-clip", "w3-clip"),
        (6, "w4a8-b32", "w4"),
    ],
)
def test_a_row_fills_whole_bytes(units, wanted, executed):
    assert RowEmbedding(VOCABULARY, units).executed(parse(wanted)).name == executed


def test_a_quantized_model_reads_the_rows_of_its_table():
    x = keras.Input((4,), dtype="int32")
    model = keras.Model(x, L.Embedding(VOCABULARY, 8, name="words")(x))
    quantized = quantize_model(in_products(model), QuantizationConfig("w4a8"))
    integers, grid = quantized_layers(quantized)["words"].integers()
    assert grid.scale.shape == (VOCABULARY, 1)
    assert np.abs(integers).max() == 7
    ids = labels((2, 4), VOCABULARY)
    (found,) = outputs(quantized, ids)
    np.testing.assert_allclose(found, (integers * grid.scale).numpy()[ids], rtol=1e-6)
