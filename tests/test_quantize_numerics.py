"""Scales and rounding against numpy in real integer types."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.quantize.numerics import quantize_rows, round_straight_through
from tests.quantize_fixtures import quantize_channels

KINDS = ["normal", "positive", "negative", "zero", "huge", "tiny", "offset", "one value"]


def rows(kind, shape, seed=0):
    """Float32 inputs of one kind; the magnitudes are those that a network might meet."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal(shape)
    x = {
        "normal": x,
        "positive": np.abs(x) + 0.1,
        "negative": -np.abs(x) - 0.1,
        "zero": np.zeros(shape),
        "huge": x * 1e6,
        "tiny": x * 1e-6,
        "offset": 0.01 * x + 5,
        "one value": np.where(np.arange(shape[-1]) == 0, x, 0.0),
    }[kind]
    return x.astype(np.float32)


def reference_channels(weights, bits):
    """Integers as int8 and one scale for each column."""
    largest = 2 ** (bits - 1) - 1
    scale = np.abs(weights).max(axis=0) / np.float32(largest)
    scale[scale == 0] = 1
    return np.rint(weights / scale).astype(np.int8), scale


def reference_rows(x):
    """LiteRT's dynamic kernels: scale and zero point of each row, then int8.

    mn = min(x, 0), mx = max(x, 0), s = (mx - mn) / 255, z = clip(round(-128 - mn / s)),
    q = clip(round(x / s) + z), in [-128, 127].
    """
    low = np.minimum(x.min(axis=-1, keepdims=True), 0).astype(np.float64)
    high = np.maximum(x.max(axis=-1, keepdims=True), 0).astype(np.float64)
    scale = np.where(high > low, (high - low) / 255, 1.0)
    zero_point = np.clip(np.rint(-128 - low / scale), -128, 127).astype(np.int32)
    q = np.clip(np.rint(x / scale) + zero_point, -128, 127).astype(np.int8)
    return q, zero_point, scale


inputs = st.tuples(
    st.sampled_from(KINDS), st.integers(1, 6), st.integers(1, 20), st.integers(0, 999)
)


@given(case=inputs, bits=st.sampled_from([2, 4, 8]))
def test_channels(case, bits):
    kind, size, channels, seed = case
    weights = rows(kind, (channels, size), seed)
    integers, scale = (t.numpy() for t in quantize_channels(tf.constant(weights), bits))
    largest = 2 ** (bits - 1) - 1
    assert integers.dtype == scale.dtype == np.float32
    np.testing.assert_array_equal(integers, np.rint(integers))
    assert np.abs(integers).max() <= largest
    expected, expected_scale = reference_channels(weights, bits)
    np.testing.assert_array_equal(scale, expected_scale)
    np.testing.assert_array_equal(integers.astype(np.int8), expected)
    # Zero is kept, the largest magnitude of each channel too, the rest to half a step.
    assert (integers[weights == 0] == 0).all()
    restored = integers * scale
    place = np.abs(weights).argmax(axis=0), np.arange(size)
    np.testing.assert_allclose(restored[place], weights[place], rtol=2e-7)
    assert (np.abs(restored - weights) <= 0.5001 * scale).all()


def test_channels_do_not_touch_each_other():
    weights = rows("normal", (9, 3)) * np.array([1, 1e-5, 1e5], np.float32)
    integers, scale = quantize_channels(tf.constant(weights), 4)
    for column in range(3):
        alone, own = quantize_channels(tf.constant(weights[:, column : column + 1]), 4)
        np.testing.assert_array_equal(integers[:, column], alone[:, 0])
        assert scale[column] == own[0]


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_grid_is_a_fixed_point(bits):
    """Quantizing what was quantized changes nothing: exporting can bake the values in."""
    integers, scale = quantize_channels(tf.constant(rows("normal", (40, 8))), bits)
    again, same = quantize_channels(integers * scale, bits)
    np.testing.assert_array_equal(again, integers)
    np.testing.assert_allclose(same, scale, rtol=2e-7)


@given(case=inputs)
def test_rows(case):
    kind, size, channels, seed = case
    x = rows(kind, (size, channels), seed)
    integers, scale = (t.numpy() for t in quantize_rows(tf.constant(x)))
    np.testing.assert_array_equal(integers, np.rint(integers))
    assert np.abs(integers).max() <= 255
    q, zero_point, expected_scale = reference_rows(x)
    np.testing.assert_allclose(scale, expected_scale, rtol=1e-6)
    # The device divides in float32: a value half-way between two steps may go either way.
    difference = integers - (q.astype(np.int32) - zero_point)
    halfway = np.abs(x / expected_scale - np.floor(x / expected_scale) - 0.5)
    assert (np.abs(difference) <= 1).all()
    zero_exact = -128 - np.minimum(x.min(axis=-1, keepdims=True), 0) / expected_scale
    tie = np.abs(zero_exact - np.floor(zero_exact) - 0.5) < 1e-3
    assert ((difference == 0) | (halfway < 1e-3) | tie).all()
    assert (integers[x == 0] == 0).all()
    # One step of error where the range was rounded to hold zero, half a step elsewhere.
    assert (np.abs(integers * scale - x) <= 1.001 * scale).all()


def test_rows_of_any_rank_are_quantized_one_by_one():
    x = np.stack([rows(kind, (5, 12)) for kind in KINDS])
    integers, scale = quantize_rows(tf.constant(x))
    assert scale.shape == (len(KINDS), 5, 1)
    for place in np.ndindex(len(KINDS), 5):
        alone, own = quantize_rows(tf.constant(x[place][None]))
        np.testing.assert_array_equal(integers[place], alone[0])
        assert scale[place] == own[0]


def test_a_row_of_zeros():
    integers, scale = quantize_rows(tf.zeros([2, 5]))
    np.testing.assert_array_equal(integers, np.zeros((2, 5)))
    np.testing.assert_array_equal(scale, np.ones((2, 1)))


@given(x=st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=9))
def test_rounding_is_half_to_even_and_passes_the_gradient(x):
    x = tf.constant(x, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = round_straight_through(x)
    np.testing.assert_allclose(y, np.rint(x), atol=1e-5)
    np.testing.assert_array_equal(tape.gradient(y, x), np.ones(len(x)))


def test_the_gradient_of_channels_is_that_of_the_weights_over_the_scale():
    weights = tf.constant(rows("normal", (6, 3)))
    with tf.GradientTape() as tape:
        tape.watch(weights)
        integers, scale = quantize_channels(weights, 4)
        value = integers * scale
    np.testing.assert_allclose(tape.gradient(value, weights), np.ones((6, 3)), rtol=1e-6)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_integers_are_whole_after_rounding_straight_through(bits):
    """x + (round(x) - x) must give the whole number itself, for every value on the grid."""
    weights = np.linspace(-1, 1, 100_001, dtype=np.float32)[:, None]
    integers, _ = quantize_channels(tf.constant(weights), bits)
    np.testing.assert_array_equal(integers, np.rint(integers))
