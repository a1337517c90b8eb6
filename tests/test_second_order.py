"""Rounding by the error of the outputs: against all roundings that there are, and other forms."""

import itertools

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from asr_qat.quantize import second_order as module
from asr_qat.quantize.learned_rounding import learned_rounding
from asr_qat.quantize.precision import parse
from asr_qat.quantize.second_order import least_error_grid, nearest, second_order

NAMES = ("w4a8", "w3a8", "w2a8", "w2a8-asym", "w4a8-b32", "w1a8")
SIZE = 64


def moment(size: int, seed: int = 0, damping: float = 0.05) -> np.ndarray:
    """Of inputs that are correlated as activations are."""
    rng = np.random.default_rng(seed)
    mix = rng.standard_normal((size, size)) / np.sqrt(size)
    x = rng.standard_normal((400, size)) @ mix + 0.3 * rng.standard_normal((400, 1))
    return x.T @ x / len(x) + damping * np.eye(size)


def kernel(size: int, outputs: int = 5, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((size, outputs)).astype(np.float32)


def errors(values: np.ndarray, target: np.ndarray, hessian: np.ndarray) -> np.ndarray:
    """Of each channel's outputs, squared."""
    off = values.astype(np.float64) - target
    return np.einsum("io,ij,jo->o", off, hessian, off)


def levels(precision) -> np.ndarray:
    if precision.weight_bits == 1:
        return np.array([-1, 1])
    largest = 2 ** (precision.weight_bits - 1) - 1
    return np.arange(-largest - precision.asymmetric, largest + 1)


def integers_of(found, precision, size: int) -> np.ndarray:
    """The integers that values stand for, checked to be whole and on the grid."""
    scale = np.reshape(found.grid.scale, [-1, found.values.shape[1]])
    offset = 0 if found.grid.offset is None else np.reshape(found.grid.offset, [1, -1])
    integers = (found.values - offset) / np.repeat(scale, size // len(scale), axis=0)
    whole = np.rint(integers)
    np.testing.assert_allclose(integers, whole, atol=1e-3)
    assert set(np.unique(whole)) <= set(levels(precision))
    return whole


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size", [SIZE, 160])  # less and more than is rounded at once
def test_values_are_on_the_grid_and_no_single_step_makes_them_much_better(name, size):
    precision, weights, hessian = parse(name), kernel(size), moment(size)
    found = second_order(weights, hessian, precision)
    integers = integers_of(found, precision, size)
    scale = np.reshape(found.grid.scale, [-1, weights.shape[1]])
    step = np.repeat(scale, size // len(scale), axis=0)
    best = errors(found.values, weights, hessian)
    gap = np.diff(levels(precision))[0]
    for i, move in itertools.product(range(size), (-gap, gap)):
        moved = found.values.astype(np.float64)
        moved[i] += move * step[i]
        allowed = np.isin(integers[i] + move, levels(precision))
        assert (errors(moved, weights, hessian) >= 0.95 * best)[allowed].all()


def test_few_weights_are_rounded_as_well_as_can_be_or_nearly():
    """All 3^6 integers, each with the scale that fits it best."""
    precision, hessian = parse("w2a8"), moment(6)
    weights = kernel(6, 8)
    found = errors(second_order(weights, hessian, precision).values, weights, hessian)
    plain = errors(nearest(weights, precision).values, weights, hessian)
    best = np.full(8, np.inf)
    for integers in itertools.product((-1.0, 0.0, 1.0), repeat=6):
        q = np.array(integers)
        square = q @ hessian @ q
        scale = q @ hessian @ weights / square if square else np.zeros(8)
        best = np.minimum(best, errors(np.outer(q, np.maximum(scale, 0)), weights, hessian))
    assert (found >= best - 1e-9).all()
    assert np.isclose(found, best, rtol=1e-4).mean() >= 0.5
    # Of what is lost by rounding to the nearest and need not be, most is won.
    assert (found - best).sum() < 0.2 * (plain - best).sum()


@hypothesis.settings(max_examples=20, deadline=None)
@hypothesis.given(seed=st.integers(0, 1000), name=st.sampled_from(NAMES), scaled=st.booleans())
def test_no_channel_is_worse_than_by_rounding_to_the_nearest(seed, name, scaled):
    rng = np.random.default_rng(seed)
    precision, hessian, weights = parse(name), moment(SIZE, seed), kernel(SIZE, 6, seed)
    if scaled:  # inputs of very different energy, some without any
        energy = np.exp(3 * rng.standard_normal(SIZE)) * (rng.random(SIZE) < 0.9)
        hessian = hessian * np.outer(energy, energy) + 1e-3 * np.eye(SIZE)
    target = weights + 0.1 * kernel(SIZE, 6, seed + 1)
    found = errors(second_order(weights, hessian, precision, target).values, target, hessian)
    plain = errors(nearest(weights, precision).values, target, hessian)
    assert (found <= plain * (1 + 1e-6)).all()
    assert found.sum() < plain.sum()


@pytest.mark.parametrize("name", ["w4a8", "w2a8", "w2a8-asym"])
def test_inputs_that_are_independent_get_the_nearest_values_of_their_grid(name):
    precision, weights = parse(name), kernel(32)
    found = second_order(weights, np.diag(np.linspace(1, 2, 32)), precision)
    offset = 0 if found.grid.offset is None else found.grid.offset.numpy()
    scale = found.grid.scale.numpy()
    bounds = levels(precision)
    integers = np.clip(np.rint((weights - offset) / scale), bounds[0], bounds[-1])
    np.testing.assert_allclose(found.values, integers * scale + offset, atol=1e-6)


def one_by_one(weights, hessian, scale, largest):
    """Optimal brain quantization in a fixed order: the inverse shrinks by one input at a time.

    Frantar and Alistarh (2022, arXiv 2208.11580), equations 2 and 3.
    """
    inverse, left = np.linalg.inv(hessian), weights.astype(np.float64).copy()
    found, alive = np.empty_like(left), list(range(len(weights)))
    for i in np.argsort(-np.diag(hessian), kind="stable"):
        found[i] = np.clip(np.rint(left[i] / scale), -largest, largest) * scale
        error = (left[i] - found[i]) / inverse[i, i]
        alive.remove(i)
        for j in alive:
            left[j] -= error * inverse[j, i]
        inverse = inverse - np.outer(inverse[:, i], inverse[i]) / inverse[i, i]
    return found


def test_the_first_step_is_gptq(monkeypatch):
    """Without the descent and the choice between channels it is the plain form of the algorithm."""
    monkeypatch.setattr(module, "ROUNDS", 0)
    monkeypatch.setattr(module, "_descend", lambda *_: None)
    monkeypatch.setattr(module, "_better", lambda found, *_: found)
    precision, weights, hessian = parse("w3a8"), kernel(160), moment(160)
    found = second_order(weights, hessian, precision)
    expected = one_by_one(weights, hessian, found.grid.scale.numpy().astype(np.float64)[0], 3)
    assert (np.abs(found.values - expected) < 1e-5).mean() > 0.995  # ties fall to either side


def test_the_range_is_that_of_least_error():
    precision, weights, energy = parse("w2a8"), kernel(48), np.linspace(0.1, 3, 48)
    scale = least_error_grid(weights, energy, precision).scale.numpy()[0]
    reach = np.abs(weights).max(axis=0)

    def error(scale):
        off = np.clip(np.rint(weights / scale), -1, 1) * scale - weights
        return energy @ off**2

    every = [error(share * reach) for share in np.linspace(0.2, 1, 200)]
    assert (error(scale) <= 1.02 * np.min(every, axis=0)).all()
    assert (error(scale) < 0.9 * error(reach)).all()


def test_inputs_that_never_occur():
    hessian = moment(32)
    hessian[5:9] = hessian[:, 5:9] = 0
    hessian += 1e-6 * np.eye(32)
    assert np.isfinite(second_order(kernel(32), hessian, parse("w4a8")).values).all()
    nothing = second_order(np.zeros((32, 3), np.float32), moment(32), parse("w2a8-asym"))
    np.testing.assert_array_equal(nothing.values, 0)


def test_learned_rounding_comes_near_the_best_of_all_choices():
    """All 2^8 ways to round eight weights up or down."""
    weights, hessian = kernel(8, 12), moment(8, damping=0.01)
    step = np.abs(weights).max(axis=0) / 3
    low = np.floor(weights / step) * step
    found = errors(
        np.where(learned_rounding(weights, low, low + step, hessian), low + step, low),
        weights,
        hessian,
    )
    plain = errors(np.rint(weights / step) * step, weights, hessian)
    best = np.full(12, np.inf)
    for up in itertools.product((0.0, 1.0), repeat=8):
        best = np.minimum(best, errors(low + np.array(up)[:, None] * step, weights, hessian))
    assert (found >= (1 - 1e-6) * best).all()
    assert (found / best).mean() < 1.6 < (plain / best).mean()


def test_where_there_is_nothing_to_choose():
    weights = kernel(4)
    up = learned_rounding(weights, weights + 1, weights + 1, moment(4))
    assert up.shape == weights.shape  # and no division by zero


@pytest.mark.parametrize("name", NAMES)
def test_other_roundings_are_on_the_grid_too(name):
    precision, weights, hessian = parse(name), kernel(SIZE), moment(SIZE)
    learned = second_order(weights, hessian, precision, rounding="adaround")
    plain = second_order(weights, hessian, precision, rounding="nearest")
    for found in (learned, plain):
        integers_of(found, precision, SIZE)
    worst = errors(plain.values, weights, hessian)
    assert (errors(learned.values, weights, hessian) < worst).all()
    if precision.weight_bits > 1 and not precision.asymmetric:
        scale = np.repeat(
            np.reshape(plain.grid.scale, [-1, weights.shape[1]]),
            SIZE // np.reshape(plain.grid.scale, [-1, weights.shape[1]]).shape[0],
            axis=0,
        )
        assert np.abs(plain.values - weights)[np.abs(weights) < scale].max() <= scale.max() / 2
