"""The quantized products: against numpy integers and finite differences."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.quantize.numerics import quantize_rows
from asr_qat.quantize.products import QuantizedKernel, fake_product, native_product
from tests.quantize_fixtures import channel_grid, quantize_channels
from tests.test_quantize_numerics import KINDS, reference_channels, rows

CHANNELS, UNITS = 24, 10


def quantized(weights, bits):
    return quantize_channels(tf.constant(weights), bits)


@given(
    kind=st.sampled_from(KINDS),
    bits=st.sampled_from([2, 4, 8]),
    count=st.integers(1, 5),
    seed=st.integers(0, 999),
)
def test_native_is_the_product_of_integers(kind, bits, count, seed):
    """int32 accumulators of int8 numbers, rescaled once."""
    x, weights = rows(kind, (count, CHANNELS), seed), rows("normal", (CHANNELS, UNITS), seed + 1)
    integers, scale = quantized(weights, bits)
    y = native_product(tf.constant(x), integers, channel_grid(scale), 8).numpy()
    q_x, s_x = (t.numpy() for t in quantize_rows(tf.constant(x)))
    q_w, s_w = reference_channels(weights, bits)
    accumulators = q_x.astype(np.int32) @ q_w.astype(np.int32)
    assert accumulators.dtype == np.int32
    expected = accumulators.astype(np.float32) * s_x * s_w
    np.testing.assert_allclose(y, expected, rtol=1e-6)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_sums_are_exact_at_the_width_of_the_large_model(bits):
    """2048 channels of the largest numbers stay exact in float32 where they stay below 2^24."""
    channels = 518 if bits == 8 else 2048  # 2^24 / (255 * 127)
    x = np.ones((1, channels), np.float32)
    weights = np.full((channels, 1), 0.7, np.float32)
    integers, scale = quantized(weights, bits)
    y = native_product(tf.constant(x), integers, channel_grid(scale), 8).numpy()
    exact = 255 * (2 ** (bits - 1) - 1) * channels
    assert exact < 2**24
    assert y[0, 0] == np.float32(exact) * np.float32(1 / np.float32(255)) * scale.numpy()[0]


@given(kind=st.sampled_from(KINDS), bits=st.sampled_from([2, 4, 8]), seed=st.integers(0, 999))
def test_fake_and_native_agree(kind, bits, seed):
    x, weights = rows(kind, (4, CHANNELS), seed), rows("normal", (CHANNELS, UNITS), seed + 1)
    integers, scale = quantized(weights, bits)
    for activation_bits in (8, None):
        native = native_product(
            tf.constant(x), integers, channel_grid(scale), activation_bits
        ).numpy()
        fake = fake_product(tf.constant(x), integers, channel_grid(scale), activation_bits).numpy()
        rounding = 1e-6 * np.abs(x).max() * np.abs(weights).max() * CHANNELS
        np.testing.assert_allclose(native, fake, atol=rounding, rtol=0)


def test_float_activations():
    x, weights = rows("normal", (3, CHANNELS)), rows("normal", (CHANNELS, UNITS), 1)
    integers, scale = quantized(weights, 4)
    expected = x.astype(np.float64) @ (integers.numpy().astype(np.float64) * scale.numpy())
    for product in (native_product, fake_product):
        np.testing.assert_allclose(
            product(x, integers, channel_grid(scale), None), expected, atol=1e-5
        )


@pytest.mark.parametrize("product", [native_product, fake_product])
@pytest.mark.parametrize("activation_bits", [8, None])
def test_gradient_is_that_of_the_product_of_rounded_values(product, activation_bits):
    """Straight through the rounding: finite differences of the float product beside it."""
    x, weights = rows("normal", (3, 6)), rows("normal", (6, 4), 1)
    upstream = rows("normal", (3, 4), 2)
    x, weights = tf.constant(x), tf.constant(weights)
    with tf.GradientTape() as tape:
        tape.watch([x, weights])
        integers, scale = quantize_channels(weights, 4)
        total = tf.reduce_sum(product(x, integers, channel_grid(scale), activation_bits) * upstream)
    d_x, d_weights = (g.numpy() for g in tape.gradient(total, [x, weights]))

    # The rounded values, which finite differences move as if they were free.
    seen_weights = (integers * scale).numpy().astype(np.float64)
    seen_x = x.numpy().astype(np.float64)
    if activation_bits:
        q, s = quantize_rows(x)
        seen_x = (q * s).numpy().astype(np.float64)
    step = 1e-4

    def moved(array, index, by):
        copy = array.copy()
        copy[index] += by
        return copy

    for index in np.ndindex(*seen_x.shape):
        up, down = (moved(seen_x, index, d) @ seen_weights for d in (step, -step))
        numeric = np.sum((up - down) * upstream) / (2 * step)
        assert d_x[index] == pytest.approx(numeric, abs=1e-4)
    for index in np.ndindex(*seen_weights.shape):
        up, down = (seen_x @ moved(seen_weights, index, d) for d in (step, -step))
        numeric = np.sum((up - down) * upstream) / (2 * step)
        assert d_weights[index] == pytest.approx(numeric, abs=1e-4)


@pytest.mark.parametrize("activation_bits", [8, None])
def test_gradient_that_goes_straight_to_the_weights(activation_bits):
    """It is the one that goes through the integers."""
    x, upstream = tf.constant(rows("normal", (5, 6))), rows("normal", (5, 4), 2)
    weights = tf.constant(rows("normal", (6, 4), 1))
    found = []
    for straight in (True, False):
        with tf.GradientTape() as tape:
            tape.watch([x, weights])
            integers, scale = quantize_channels(weights, 4)
            given = (x, integers, channel_grid(scale), activation_bits)
            y = native_product(*given, weights if straight else None)
            total = tf.reduce_sum(y * upstream)
        found.append([y, *tape.gradient(total, [x, weights])])
    for one, other in zip(*found, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("native", [True, False])
def test_kernel_takes_inputs_of_any_rank(native):
    weights = rows("normal", (6, 4))
    integers, scale = quantized(weights, 4)
    kernel = QuantizedKernel(integers, channel_grid(scale), 8, native, tf.constant(weights))
    x = rows("normal", (2, 3, 5, 6))
    y = kernel.product(tf.constant(x))
    assert y.shape == (2, 3, 5, 4)
    flat = kernel.product(tf.constant(x.reshape(-1, 6)))
    np.testing.assert_array_equal(tf.reshape(y, [-1, 4]), flat)
    traced = tf.function(kernel.product, autograph=False)(tf.constant(x))
    np.testing.assert_allclose(traced, y, atol=1e-6)


@pytest.mark.parametrize("active", [True, False])
def test_kernel_is_float_until_it_is_active(active):
    weights = rows("normal", (6, 4))
    integers, scale = quantized(weights, 4)
    kernel = QuantizedKernel(
        integers, channel_grid(scale), 8, True, tf.constant(weights), tf.constant(active)
    )
    x = tf.constant(rows("normal", (3, 6)))
    expected = (
        native_product(x, integers, channel_grid(scale), 8) if active else tf.matmul(x, weights)
    )
    np.testing.assert_array_equal(kernel.product(x), expected)
