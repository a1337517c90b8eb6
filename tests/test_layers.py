"""Each primitive layer against the stock layer or an independent computation."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from tensorflow import keras

from asr_qat.audio.front_end import subsampled_length
from asr_qat.layers.dropout import Dropout
from asr_qat.layers.gated_linear_unit import GatedLinearUnit
from asr_qat.layers.layer_norm import LayerNormalization
from asr_qat.layers.masking import FrameMask, ZeroPadding
from asr_qat.layers.relative_attention import RelativeAttention, RelativePositions, relative_shift
from asr_qat.quantize.dense import Dense


def normal(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def from_config(layer):
    return type(layer).from_config(layer.get_config())


@given(length=st.integers(0, 1000))
def test_subsampled_length_is_that_of_the_convolution(length):
    """Kernel 3, stride 2, one frame of padding on either side."""
    once = max(0, (length + 2 - 3) // 2 + 1)
    assert subsampled_length(length, 1) == once
    assert subsampled_length(length) == subsampled_length(once, 1)


@pytest.mark.parametrize("halvings", [0, 1, 2])
def test_frame_mask(halvings):
    lengths = np.array([1, 2, 5, 8, 9, 13, 16], np.int32)
    time = -(-16 // 2**halvings)
    frames = tf.zeros([len(lengths), time, 3])
    mask = from_config(FrameMask(halvings))([frames, tf.constant(lengths)]).numpy()
    assert mask.dtype == np.float32
    for row, length in zip(mask, lengths, strict=True):
        valid = math.ceil(length / 2**halvings)
        assert row.tolist() == [1.0] * valid + [0.0] * (time - valid)


@pytest.mark.parametrize("trailing", [(), (4,), (4, 5)])
def test_zero_padding(trailing):
    frames = normal(2, 3, *trailing)
    mask = np.array([[1, 1, 0], [1, 0, 0]], np.float32)
    result = ZeroPadding()([frames, mask]).numpy()
    expected = frames.copy()
    expected[0, 2:] = expected[1, 1:] = 0
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("affine", [True, False])
def test_layer_normalization_is_the_stock_layer(affine):
    x = 5 * normal(4, 7, 16) + 3
    layer = from_config(LayerNormalization(affine=affine, epsilon=1e-4))
    stock = keras.layers.LayerNormalization(center=affine, scale=affine, epsilon=1e-4)
    layer(x), stock(x)
    if affine:
        weights = [normal(16, seed=1), normal(16, seed=2)]
        layer.set_weights(weights)
        stock.set_weights(weights)
    assert len(layer.weights) == (2 if affine else 0)
    np.testing.assert_allclose(layer(x), stock(x), atol=1e-5)
    wide = x.astype(np.float64)
    centred = wide - wide.mean(-1, keepdims=True)
    expected = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-4)
    if affine:
        expected = expected * weights[0] + weights[1]
    np.testing.assert_allclose(layer(x), expected, atol=1e-5)


def test_layer_normalization_of_a_constant_is_zero():
    layer = LayerNormalization(affine=False)
    np.testing.assert_array_equal(layer(np.full((2, 8), 3.0, np.float32)), np.zeros((2, 8)))


def test_gated_linear_unit():
    x = normal(2, 3, 8)
    expected = x[..., :4] / (1 + np.exp(-x[..., 4:]))
    np.testing.assert_allclose(GatedLinearUnit()(x), expected, atol=1e-6)


def test_relative_positions():
    frames, lengths = tf.zeros([2, 4, 6]), tf.constant([4, 2])
    positions = RelativePositions()([frames, lengths]).numpy()
    assert positions.shape == (1, 7, 6)
    for row, distance in zip(positions[0], range(3, -4, -1), strict=True):
        angles = distance / 10000 ** (np.arange(0, 6, 2) / 6)
        np.testing.assert_allclose(row, [*np.sin(angles), *np.cos(angles)], atol=1e-6)


@given(
    batch=st.integers(1, 2),
    heads=st.integers(1, 3),
    time=st.integers(1, 9),
    keys=st.integers(1, 9),
)
def test_relative_shift(batch, heads, time, keys):
    scores = normal(batch, heads, time, time + keys - 1)
    shifted = relative_shift(tf.constant(scores), batch, heads, time, keys).numpy()
    for i in range(time):
        for j in range(keys):
            # One position less for each later key, one more for each later query.
            np.testing.assert_array_equal(shifted[:, :, i, j], scores[:, :, i, time - 1 - (i - j)])


@pytest.mark.parametrize("context", [None, 1, 4])
@pytest.mark.parametrize("time", [1, 2, 7])
def test_relative_attention_scores_each_pair_of_frames(time, context):
    """Transformer-XL: score(i, j) = ((q_i + u) . k_j + (q_i + v) . p_(i-j)) / sqrt(size)."""
    batch, heads, size = 2, 2, 3
    dim = heads * size
    query, key, value = (normal(batch, time, dim, seed=s) for s in range(3))
    position = normal(1, 2 * time - 1, dim, seed=3)
    mask = np.ones((batch, time), np.float32)
    mask[1, (time + 1) // 2 :] = 0
    layer = from_config(RelativeAttention(heads, context))
    layer([query, key, value, position, mask])
    u, v = normal(heads, 1, size, seed=4), normal(heads, 1, size, seed=5)
    layer.set_weights([u, v])
    result = layer([query, key, value, position, mask]).numpy()
    assert result.shape == (batch, time, dim)
    for b in range(batch):
        for h in range(heads):
            part = slice(h * size, (h + 1) * size)
            for i in range(time):
                q = query[b, i, part].astype(np.float64)
                near = time if context is None else context
                valid = [j for j in range(time) if mask[b, j] and abs(i - j) <= near]
                if not valid:
                    continue  # a padded frame far from all others holds no meaning
                scores = [
                    (
                        (q + u[h, 0]) @ key[b, j, part]
                        + (q + v[h, 0]) @ position[0, time - 1 - (i - j), part]
                    )
                    / math.sqrt(size)
                    for j in valid
                ]
                weights = np.exp(scores) / np.sum(np.exp(scores))
                expected = sum(w * value[b, j, part] for w, j in zip(weights, valid, strict=True))
                np.testing.assert_allclose(result[b, i, part], expected, atol=1e-5)


def test_relative_attention_needs_heads_that_divide_the_channels():
    inputs = [normal(1, 2, 6)] * 3 + [normal(1, 3, 6), np.ones((1, 2), np.float32)]
    with pytest.raises(ValueError, match="4 heads do not divide 6 channels"):
        RelativeAttention(4)(inputs)


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_dropout_rate_and_scale(rate):
    layer = from_config(Dropout(rate))
    result = layer(np.ones((300, 401), np.float32), training=True).numpy()
    dropped = np.mean(result == 0)
    assert dropped == pytest.approx(round(rate * 256) / 256, abs=0.006)
    np.testing.assert_allclose(result[result != 0], 256 / (256 - round(rate * 256)), rtol=1e-6)
    assert result.mean() == pytest.approx(1.0, abs=0.03)


def test_dropout_only_in_training():
    x = normal(3, 5)
    layer = Dropout(0.5)
    np.testing.assert_array_equal(layer(x), x)
    np.testing.assert_array_equal(layer(x, training=False), x)
    np.testing.assert_array_equal(Dropout(0.0)(x, training=True), x)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8])
def test_dropout_of_any_size(size):
    assert Dropout(0.5)(np.ones(size, np.float32), training=True).shape == (size,)


def test_dropout_gradient_is_its_mask():
    x = tf.constant(normal(20, 20))
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = Dropout(0.3)(x, training=True)
    np.testing.assert_allclose(tape.gradient(y, x) * x, y, atol=1e-6)


def test_dropout_goes_on_from_a_checkpoint(tmp_path):
    x = np.ones((4, 50), np.float32)
    layer = Dropout(0.5, name="a")
    layer(x, training=True)
    path = tf.train.Checkpoint(layer=layer).save(str(tmp_path / "ckpt"))
    expected = [layer(x, training=True).numpy() for _ in range(2)]
    assert (expected[0] != expected[1]).any()
    other = Dropout(0.5, name="a")
    tf.train.Checkpoint(layer=other).restore(path).assert_consumed()
    for mask in expected:
        np.testing.assert_array_equal(other(x, training=True), mask)


def test_dropout_seed():
    x = np.ones(200, np.float32)
    first, second = Dropout(0.5, name="a"), Dropout(0.5, name="b")
    for layer in (first, second):
        layer.seed(1)
    one = first(x, training=True).numpy()
    assert (one != second(x, training=True).numpy()).any()
    first.seed(1)
    np.testing.assert_array_equal(first(x, training=True), one)
    first.seed(2)
    assert (first(x, training=True).numpy() != one).any()


@pytest.mark.parametrize("activation", [None, "swish"])
@pytest.mark.parametrize("use_bias", [True, False])
def test_dense_without_quantizer_is_the_stock_layer(activation, use_bias):
    x = normal(2, 3, 8)
    layer = from_config(Dense(5, activation=activation, use_bias=use_bias))
    stock = keras.layers.Dense(5, activation=activation, use_bias=use_bias)
    layer(x), stock(x)
    stock.set_weights([normal(*w.shape, seed=9) for w in stock.weights])
    layer.set_weights(stock.get_weights())
    np.testing.assert_array_equal(layer(x), stock(x))
