"""The transducer loss against the enumeration of all alignments and finite differences."""

import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.losses.transducer import transducer_loss
from experiments.benchmarks.naive_transducer import (
    brute_force_loss,
    naive_transducer_loss,
    rowwise_transducer_loss,
)


def example(batch, time, count, classes, seed=0, scale=2.0):
    rng = np.random.default_rng(seed)
    logits = scale * rng.standard_normal((batch, time, count + 1, classes))
    labels = rng.integers(0, classes - 1, (batch, count))
    frames = rng.integers(1, time + 1, batch)
    counts = rng.integers(0, count + 1, batch)
    return logits.astype(np.float32), *(a.astype(np.int32) for a in (labels, frames, counts))


@given(
    st.integers(1, 3), st.integers(1, 5), st.integers(0, 4), st.integers(2, 4), st.integers(0, 99)
)
def test_loss_is_the_sum_over_all_alignments(batch, time, count, classes, seed):
    logits, labels, frames, counts = example(batch, time, count, classes, seed)
    losses = transducer_loss(logits, labels, frames, counts).numpy()
    for b in range(batch):
        expected = brute_force_loss(logits[b], labels[b, : counts[b]], frames[b])
        assert losses[b] == pytest.approx(expected, rel=1e-5, abs=1e-5)


def gradient_of(logits, labels, frames, counts, weights, loss=transducer_loss):
    logits = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        total = tf.reduce_sum(weights * loss(logits, labels, frames, counts))
    return tape.gradient(total, logits).numpy()


def test_gradient_is_that_of_finite_differences():
    logits, labels, frames, counts = example(2, 4, 3, 3, seed=1)
    weights = np.array([1.0, -0.5], np.float32)
    result = gradient_of(logits, labels, frames, counts, weights)

    def total(values):
        return sum(
            weights[b] * brute_force_loss(values[b], labels[b, : counts[b]], frames[b])
            for b in range(2)
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


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_logits_are_summed_in_float32(dtype):
    logits, labels, frames, counts = example(2, 40, 9, 50, seed=5)
    halves = tf.cast(logits, dtype)
    rounded = tf.cast(halves, tf.float32).numpy()
    losses = transducer_loss(halves, labels, frames, counts)
    assert losses.dtype == tf.float32
    np.testing.assert_allclose(losses, transducer_loss(rounded, labels, frames, counts), rtol=1e-6)
    with tf.GradientTape() as tape:
        tape.watch(halves)
        losses = transducer_loss(halves, labels, frames, counts)
    gradient = tape.gradient(losses, halves)
    assert gradient.dtype == dtype
    expected = gradient_of(rounded, labels, frames, counts, np.ones(2, np.float32))
    np.testing.assert_allclose(tf.cast(gradient, tf.float32), expected, rtol=1e-2, atol=1e-5)


@pytest.mark.parametrize("loss", [naive_transducer_loss, rowwise_transducer_loss])
def test_plain_versions_agree(loss):
    """Independent recursions, with TensorFlow's own gradient."""
    logits, labels, _, _ = example(2, 30, 12, 40, seed=6)
    frames, counts = np.array([30, 21], np.int32), np.array([12, 7], np.int32)
    np.testing.assert_allclose(
        transducer_loss(logits, labels, frames, counts),
        loss(logits, labels, frames, counts),
        rtol=1e-5,
    )
    ones = np.ones(2, np.float32)
    expected = gradient_of(logits, labels, frames, counts, ones, tf.function(loss))
    result = gradient_of(logits, labels, frames, counts, ones)
    np.testing.assert_allclose(result, expected, atol=2e-4)


def test_torchaudio_agrees():
    torch = pytest.importorskip("torch")
    rnnt_loss = pytest.importorskip("torchaudio").functional.rnnt_loss
    logits, labels, _, _ = example(2, 60, 25, 40, seed=7)
    frames, counts = np.array([60, 41], np.int32), np.array([25, 13], np.int32)
    values = torch.tensor(logits, requires_grad=True)
    lattice = [torch.tensor(part) for part in (labels, frames, counts)]
    peer = rnnt_loss(values, *lattice, blank=39, reduction="none")
    peer.sum().backward()
    losses = transducer_loss(logits, labels, frames, counts)
    np.testing.assert_allclose(losses, peer.detach(), rtol=1e-5)
    gradient = gradient_of(logits, labels, frames, counts, np.ones(2, np.float32))
    np.testing.assert_allclose(gradient, values.grad, atol=2e-4)
