"""The grids of weights, against numpy."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.quantize.grids import SHARES, best_share, blocks_of, grid_of, on_grid, values
from asr_qat.quantize.precision import parse
from asr_qat.quantize.quantizers import KernelQuantizer
from tests.test_quantize_numerics import rows

LARGEST = {2: 1, 3: 3, 4: 7, 8: 127}
cases = st.tuples(st.sampled_from([32, 64, 96]), st.integers(1, 5), st.integers(0, 999))


def weights_of(case):
    channels, units, seed = case
    return rows("normal", (channels, units), seed) * np.geomspace(0.01, 10, units)


def rounded(weights, name, share=1.0):
    """Integers and values as numpy arrays of the weights' own shape."""
    precision = parse(name)
    split = blocks_of(tf.constant(weights, tf.float32), precision.block)
    grid = grid_of(split, precision, share)
    integers = on_grid(split, grid, precision)
    shape = weights.shape
    return integers.numpy().reshape(shape), values(integers, grid).numpy().reshape(shape)


@given(case=cases, bits=st.sampled_from([2, 3, 4, 8]))
def test_symmetric(case, bits):
    weights = weights_of(case)
    integers, found = rounded(weights, f"w{bits}")
    scale = np.abs(weights).max(axis=0) / LARGEST[bits]
    assert np.abs(integers).max() == LARGEST[bits]
    np.testing.assert_allclose(found, np.rint(weights / scale) * scale, rtol=1e-5, atol=1e-6)


@given(case=cases, bits=st.sampled_from([2, 3, 4, 8]))
def test_bound_of_aqt(case, bits):
    """The largest weight comes back as L / (L + 1/2) of itself."""
    weights = weights_of(case)
    integers, found = rounded(weights, f"w{bits}-aqt")
    assert np.abs(integers).max() == LARGEST[bits]
    at = np.abs(weights).argmax(axis=0), np.arange(weights.shape[1])
    share = LARGEST[bits] / (LARGEST[bits] + 0.5)
    np.testing.assert_allclose(found[at], share * weights[at], rtol=1e-5)


@given(case=cases)
def test_asymmetric(case):
    """Four levels from the least to the greatest weight, both of which are kept."""
    weights = weights_of(case)
    integers, found = rounded(weights, "w2-asym")
    low, high = weights.min(axis=0), weights.max(axis=0)
    assert set(np.unique(integers)) <= {-2, -1, 0, 1}
    scale = (high - low) / 3
    expected = np.rint((weights - low) / scale) * scale + low
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5 * np.abs(weights).max())
    np.testing.assert_allclose(found.min(axis=0), low, rtol=1e-4)
    np.testing.assert_allclose(found.max(axis=0), high, rtol=1e-4)


@given(case=cases, bits=st.sampled_from([2, 3, 4]))
def test_blocks(case, bits):
    """Each block of inputs has the grid that it would have alone, its scale a bfloat16."""
    weights = weights_of(case)
    _, found = rounded(weights, f"w{bits}a8-b32")
    for start in range(0, len(weights), 32):
        block = weights[start : start + 32].astype(np.float32)
        scale = np.abs(block).max(axis=0) / LARGEST[bits]
        scale = tf.cast(tf.cast(scale, tf.bfloat16), tf.float32).numpy()
        integers = np.clip(np.rint(block / scale), -LARGEST[bits], LARGEST[bits])
        np.testing.assert_allclose(found[start : start + 32], integers * scale, rtol=1e-6)


@pytest.mark.parametrize("name", ["w2", "w3", "w4", "w2-asym", "w2a8-b32"])
def test_the_search_finds_the_share_with_the_least_error(name):
    weights = weights_of((64, 4, 3))
    weights[5, 2] *= 20  # an outlier, which is worth to be clipped
    precision = parse(name)
    split = blocks_of(tf.constant(weights, tf.float32), precision.block)
    found = best_share(split, precision).numpy()
    blocks = found.reshape(-1, found.shape[-1])
    size = len(weights) // len(blocks)
    for index, shares in enumerate(blocks):
        rows_of = slice(index * size, (index + 1) * size)
        errors = [
            np.abs(rounded(weights, name, s)[1] - weights)[rows_of].sum(axis=0) for s in SHARES
        ]
        chosen = [SHARES.index(round(float(share), 2)) for share in shares]
        least = np.min(errors, axis=0)
        # A scale on the edge of two bfloat16 numbers may be rounded to the other one here.
        np.testing.assert_allclose(np.array(errors)[chosen, range(len(chosen))], least, rtol=0.01)
    assert blocks[:, 2].min() < 0.7


@pytest.mark.parametrize(
    "name", ["w4-learned", "w2-learned", "w2-asym-learned", "w4a8-b32-learned"]
)
def test_gradient_of_a_learned_scale(name):
    """That of LSQ: for the scale round(w/s) - w/s inside of the grid, its end beyond it."""
    precision = parse(name)
    quantizer = KernelQuantizer(precision, native=True)
    weights = tf.constant(rows("normal", (32, 3), 7))
    split = blocks_of(weights, precision.block)
    grid = grid_of(split, precision, 0.4)
    scale = tf.Variable(grid.scale)
    variables = {"scale": scale}
    if grid.offset is not None:
        variables["offset"] = tf.Variable(grid.offset)
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(quantizer.rounded(weights, variables))
    gradient = np.reshape(tape.gradient(total, scale), [3])
    offset = 0 if grid.offset is None else grid.offset.numpy().reshape(3)
    ratio = (weights.numpy() - offset) / grid.scale.numpy().reshape(3)
    top = LARGEST[precision.weight_bits]
    bottom = -2 if precision.asymmetric else -top
    inside = (np.rint(ratio) >= bottom) & (np.rint(ratio) <= top)
    assert 0.1 < 1 - inside.mean() < 0.9
    expected = np.where(inside, np.rint(ratio) - ratio, np.clip(np.rint(ratio), bottom, top))
    np.testing.assert_allclose(gradient, expected.sum(axis=0), rtol=1e-4, atol=1e-4)


def test_no_gradient_for_weights_beyond_a_clipped_grid():
    weights = tf.constant([[1.0], [0.1], [-0.4]])
    precision = parse("w2-clip")
    with tf.GradientTape() as tape:
        tape.watch(weights)
        grid = grid_of(weights, precision, 0.5)
        total = tf.reduce_sum(values(on_grid(weights, grid, precision), grid))
    np.testing.assert_array_equal(tape.gradient(total, weights), [[0.0], [1.0], [1.0]])


@pytest.mark.parametrize("name", ["w4", "w2-asym", "w2a8-b32", "w4-aqt"])
def test_a_channel_of_zeros(name):
    _, found = rounded(np.zeros((32, 2), np.float32), name)
    np.testing.assert_array_equal(found, np.zeros((32, 2)))
