"""Norm decay: its gradient against finite differences, and which weights it reaches."""

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest
import tensorflow as tf

from asr_qat.config import from_dict
from asr_qat.errors import UserError
from asr_qat.training.norm_decay import NormDecayConfig, norm_decay


def penalty(weights, p):
    """`|w|_p^2 / 2` of each column, summed, in float64."""
    size = np.abs(weights)
    norm = size.max(0) if p is None else np.sum(size**p, axis=0) ** (1 / p)
    return 0.5 * np.sum(norm**2)


@hypothesis.given(st.integers(0, 1000), st.sampled_from([None, 1.5, 2.0, 3.0, 8.0, 40.0]))
def test_gradient_is_that_of_the_penalty(seed, p):
    weights = np.random.default_rng(seed).normal(size=(5, 3))
    found = norm_decay(tf.constant(weights, tf.float32), p).numpy()
    step = 1e-6
    for index in np.ndindex(*weights.shape):
        moved = np.zeros_like(weights)
        moved[index] = step
        slope = (penalty(weights + moved, p) - penalty(weights - moved, p)) / (2 * step)
        assert found[index] == pytest.approx(slope, rel=1e-3, abs=1e-4)


def test_maximum_norm_reaches_the_outliers_alone():
    weights = tf.constant([[0.5, -2.0, 0.0], [-3.0, 2.0, 0.0], [1.0, 0.1, 0.0]])
    expected = [[0, -1, 0], [-3, 1, 0], [0, 0, 0]]
    np.testing.assert_allclose(norm_decay(weights), expected)
    np.testing.assert_allclose(norm_decay(weights, 100.0), expected, atol=0.02)


@pytest.mark.parametrize("p", [None, 1.0, 2.0, 8.0])
def test_groups_of_zeros_and_tiny_weights(p):
    weights = tf.constant([[0.0, 1e-30], [0.0, -1e-30]])
    found = norm_decay(weights, p).numpy()
    assert np.isfinite(found).all()
    assert not found[:, 0].any()
    assert (np.sign(found[:, 1]) == [1, -1]).all()


@pytest.mark.parametrize("p", [None, 4.0])
def test_blocks_are_groups_of_their_own(p):
    weights = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    found = norm_decay(tf.constant(weights), p)
    for block, expected in zip(weights, found, strict=True):
        np.testing.assert_allclose(norm_decay(tf.constant(block), p), expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({}, "key 'weight' is missing"),
        ({"weight": 0}, "weight: 0.0 is not a number above 0"),
        ({"weight": 1, "p": 0.5}, "p: 0.5 is not a number from 1 up; omit it"),
        ({"weight": 1, "p": float("inf")}, "p: inf is not a number from 1 up; omit it"),
    ],
)
def test_bad_values(values, complaint):
    with pytest.raises(UserError, match=complaint):
        from_dict(NormDecayConfig, values, "norm_decay")
