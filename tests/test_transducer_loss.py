"""The transducer loss against the enumeration of all alignments and finite differences."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_qat.losses.transducer import transducer_loss


def brute_force(logits, labels, frames):
    """Sum over every order of `frames` blanks, the last one at the end, and the labels."""
    logits = logits.astype(np.float64)
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    count = len(labels)
    total = 0.0
    for places in itertools.combinations(range(frames - 1 + count), count):
        t = u = 0
        score = 0.0
        for place in range(frames - 1 + count):
            if place in places:
                score += log_probs[t, u, labels[u]]
                u += 1
            else:
                score += log_probs[t, u, -1]
                t += 1
        total += np.exp(score + log_probs[t, u, -1])
    return -np.log(total)


def example(batch, time, count, classes, seed=0, scale=2.0):
    rng = np.random.default_rng(seed)
    logits = scale * rng.standard_normal((batch, time, count + 1, classes))
    labels = rng.integers(0, classes - 1, (batch, count))
    frames = rng.integers(1, time + 1, batch)
    counts = rng.integers(0, count + 1, batch)
    return logits.astype(np.float32), *(a.astype(np.int32) for a in (labels, frames, counts))


@settings(deadline=None, max_examples=40)
@given(
    st.integers(1, 3), st.integers(1, 5), st.integers(0, 4), st.integers(2, 4), st.integers(0, 99)
)
def test_loss_is_the_sum_over_all_alignments(batch, time, count, classes, seed):
    logits, labels, frames, counts = example(batch, time, count, classes, seed)
    losses = transducer_loss(logits, labels, frames, counts).numpy()
    for b in range(batch):
        expected = brute_force(logits[b], labels[b, : counts[b]], frames[b])
        assert losses[b] == pytest.approx(expected, rel=1e-5, abs=1e-5)


def gradient_of(logits, labels, frames, counts, weights):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(weights * transducer_loss(logits, labels, frames, counts))
    return tape.gradient(total, logits).numpy()


def test_gradient_is_that_of_finite_differences():
    logits, labels, frames, counts = example(2, 4, 3, 3, seed=1)
    weights = np.array([1.0, -0.5], np.float32)
    result = gradient_of(logits, labels, frames, counts, weights)

    def total(values):
        return sum(
            weights[b] * brute_force(values[b], labels[b, : counts[b]], frames[b]) for b in range(2)
        )

    step = 1e-5
    for index in np.ndindex(logits.shape):
        moved = [logits.astype(np.float64) for _ in range(2)]
        moved[0][index] += step
        moved[1][index] -= step
        expected = (total(moved[0]) - total(moved[1])) / (2 * step)
        assert result[index] == pytest.approx(expected, abs=1e-4)


def test_padding_does_not_matter():
    logits, labels, frames, counts = example(3, 6, 4, 5, seed=2)
    expected = transducer_loss(logits, labels, frames, counts).numpy()
    gradient = gradient_of(logits, labels, frames, counts, np.ones(3, np.float32))
    for b in range(3):
        logits[b, frames[b] :] = 99.0
        logits[b, :, counts[b] + 1 :] = -99.0
        labels[b, counts[b] :] = -1
        assert not gradient[b, frames[b] :].any()
        assert not gradient[b, :, counts[b] + 1 :].any()
    np.testing.assert_allclose(transducer_loss(logits, labels, frames, counts), expected, rtol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 30.0])
def test_long_utterances_are_stable(scale):
    """Probabilities far below the smallest float."""
    logits, labels, _, _ = example(2, 300, 60, 30, seed=3, scale=scale)
    frames, counts = np.array([300, 211], np.int32), np.array([60, 17], np.int32)
    losses = transducer_loss(logits, labels, frames, counts).numpy()
    gradient = gradient_of(logits, labels, frames, counts, np.ones(2, np.float32))
    assert np.isfinite(losses).all() and np.isfinite(gradient).all()
    if scale == 0:  # all alignments have the same probability
        for loss, t, u in zip(losses, frames, counts, strict=True):
            expected = (t + u) * math.log(30) - math.log(math.comb(int(t + u) - 1, int(u)))
            assert loss == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose(gradient.sum(-1), 0, atol=1e-5)


def test_xla_gives_the_same():
    logits, labels, frames, counts = example(2, 7, 4, 6, seed=4)
    ones = np.ones(2, np.float32)

    @tf.function(jit_compile=True)
    def compiled(logits):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            losses = transducer_loss(logits, labels, frames, counts)
        return losses, tape.gradient(losses, logits)

    losses, gradient = compiled(tf.constant(logits))
    np.testing.assert_allclose(losses, transducer_loss(logits, labels, frames, counts), rtol=1e-5)
    expected = gradient_of(logits, labels, frames, counts, ones)
    np.testing.assert_allclose(gradient, expected, atol=1e-5)
