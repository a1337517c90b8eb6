"""The token-and-duration loss against the enumeration of all alignments, and NeMo's own."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.losses.targets import pack_targets
from asr_qat.losses.tdt import TDTLoss, tdt_lattice_loss, tdt_loss
from asr_qat.losses.transducer import TransducerLoss, token_log_probs
from tests.nemo_reference import DURATIONS as NEMO_DURATIONS
from tests.nemo_reference import nemo

DURATIONS = (0, 1, 3)


def example(batch, time, count, classes, seed=0, scale=2.0, durations=DURATIONS):
    rng = np.random.default_rng(seed)
    shape = (batch, time, count + 1, classes + len(durations))
    logits = scale * rng.standard_normal(shape)
    labels = rng.integers(0, classes - 1, (batch, count))
    frames = rng.integers(1, time + 1, batch)
    counts = rng.integers(0, count + 1, batch)
    return logits.astype(np.float32), *(a.astype(np.int32) for a in (labels, frames, counts))


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def brute_force_loss(logits, labels, frames, sigma=0.0, durations=DURATIONS):
    """The sum over every order of blanks and labels, with every choice of durations."""
    logits = logits.astype(np.float64)
    classes = logits.shape[-1] - len(durations)
    tokens = log_softmax(logits[..., :classes]) - sigma
    lasting = log_softmax(logits[..., classes:])

    def ways(t, u):
        if t == frames:
            return float(u == len(labels))
        total = 0.0
        for i, d in enumerate(durations):
            if t + d > frames:
                continue
            if d:  # the end is reached by a blank alone
                own = math.exp(tokens[t, u, classes - 1] + lasting[t, u, i])
                total += own * ways(t + d, u)
            if u < len(labels) and t + d < frames:
                own = math.exp(tokens[t, u, labels[u]] + lasting[t, u, i])
                total += own * ways(t + d, u + 1)
        return total

    return -math.log(ways(0, 0))


@given(
    st.integers(1, 3),
    st.integers(1, 5),
    st.integers(0, 3),
    st.integers(2, 4),
    st.sampled_from([(0, 1), (0, 1, 2), DURATIONS, (0, 1, 2, 3, 4, 8)]),
    st.sampled_from([0.0, 0.05]),
    st.integers(0, 99),
)
def test_loss_is_the_sum_over_all_alignments(batch, time, count, classes, durations, sigma, seed):
    example_ = example(batch, time, count, classes, seed, durations=durations)
    logits, labels, frames, counts = example_
    losses = tdt_loss(logits, labels, durations, frames, counts, sigma).numpy()
    for b in range(batch):
        expected = brute_force_loss(logits[b], labels[b, : counts[b]], frames[b], sigma, durations)
        assert losses[b] == pytest.approx(expected, rel=1e-5, abs=1e-5)


def value_and_gradient(logits, labels, frames, counts, sigma=0.0, durations=DURATIONS, weights=1.0):
    logits = tf.convert_to_tensor(logits)
    with tf.GradientTape() as tape:
        tape.watch(logits)
        losses = tdt_loss(logits, labels, durations, frames, counts, sigma)
        total = tf.reduce_sum(weights * losses)
    return losses, tape.gradient(total, logits)


def test_gradient_is_that_of_finite_differences():
    logits, labels, frames, counts = example(2, 4, 2, 3, seed=1)
    frames, counts = np.array([4, 3], np.int32), np.array([2, 1], np.int32)
    weights = np.array([1.0, -0.5], np.float32)
    _, result = value_and_gradient(logits, labels, frames, counts, 0.05, weights=weights)

    def total(values):
        return sum(
            weights[b] * brute_force_loss(values[b], labels[b, : counts[b]], frames[b], 0.05)
            for b in range(2)
        )

    step = 1e-5
    for index in itertools.product(*map(range, logits.shape)):
        moved = [logits.astype(np.float64) for _ in range(2)]
        moved[0][index] += step
        moved[1][index] -= step
        expected = (total(moved[0]) - total(moved[1])) / (2 * step)
        assert result[index].numpy() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("name", "sigma"), [("even", 0.0), ("sigma", 0.05)])
def test_losses_and_gradients_are_those_of_nemo(name, sigma):
    """`TDTLossPytorch` of NeMo 3.0.0."""
    case = nemo(f"loss/{name}")
    labels, frames, counts = (case[k].astype(np.int32) for k in ("labels", "frames", "counts"))
    losses, gradient = value_and_gradient(
        case["logits"], labels, frames, counts, sigma, NEMO_DURATIONS
    )
    np.testing.assert_allclose(losses, case["losses"], rtol=1e-5)
    np.testing.assert_allclose(gradient, case["gradient"], atol=1e-5)


def test_padding_does_not_matter():
    logits, labels, frames, counts = example(3, 6, 4, 5, seed=2)
    expected, gradient = value_and_gradient(logits, labels, frames, counts)
    for b in range(3):
        logits[b, frames[b] :] = 99.0
        logits[b, :, counts[b] + 1 :] = -99.0
        labels[b, counts[b] :] = -1
        assert not gradient[b, frames[b] :].numpy().any()
        assert not gradient[b, :, counts[b] + 1 :].numpy().any()
    found = tdt_loss(logits, labels, DURATIONS, frames, counts)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


@pytest.mark.parametrize("scale", [0.0, 30.0])
def test_long_utterances_are_stable(scale):
    """Probabilities far below the smallest float."""
    logits, labels, _, _ = example(2, 150, 40, 30, seed=3, scale=scale)
    frames, counts = np.array([150, 111], np.int32), np.array([40, 17], np.int32)
    losses, gradient = value_and_gradient(logits, labels, frames, counts)
    assert np.isfinite(losses).all() and np.isfinite(gradient).all()
    assert np.min(losses) > 0
    np.testing.assert_allclose(tf.reduce_sum(gradient[..., :30], -1), 0, atol=1e-5)
    np.testing.assert_allclose(tf.reduce_sum(gradient[..., 30:], -1), 0, atol=1e-5)


@pytest.mark.parametrize("compiled", [False, True], ids=["graph", "xla"])
def test_graphs_give_the_same(compiled):
    logits, labels, frames, counts = example(2, 7, 4, 6, seed=4)
    unknown = tf.TensorSpec([None, None, None, 9])

    @tf.function(jit_compile=compiled, input_signature=None if compiled else [unknown])
    def run(logits):
        return value_and_gradient(logits, labels, frames, counts)

    expected = value_and_gradient(logits, labels, frames, counts)
    for ours, theirs in zip(run(tf.constant(logits)), expected, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)


def test_half_precision_logits_are_summed_in_float32():
    logits, labels, frames, counts = example(2, 20, 9, 50, seed=5)
    halves = tf.cast(logits, tf.bfloat16)
    losses, gradient = value_and_gradient(halves, labels, frames, counts)
    rounded, expected = value_and_gradient(tf.cast(halves, tf.float32), labels, frames, counts)
    assert (losses.dtype, gradient.dtype) == (tf.float32, tf.bfloat16)
    np.testing.assert_allclose(losses, rounded, rtol=1e-6)
    np.testing.assert_allclose(tf.cast(gradient, tf.float32), expected, rtol=2e-2, atol=1e-4)


@pytest.mark.parametrize("omega", [0.0, 0.25, 1.0])
def test_the_loss_of_a_training_mixes_in_the_plain_one(omega):
    logits, labels, frames, counts = example(3, 6, 4, 5, seed=6)
    for row, count in zip(labels, counts, strict=True):
        row[count:] = -1
    log_probs = token_log_probs(logits, labels, len(DURATIONS))
    targets = pack_targets(4 * frames, labels)  # the encoder divides the frames by four
    with tf.GradientTape() as tape:
        tape.watch(log_probs)
        found = TDTLoss(DURATIONS, 0.05, omega).call(targets, log_probs)
    plain = TransducerLoss().call(targets, log_probs[..., :2])
    own = tdt_lattice_loss(log_probs, DURATIONS, frames, counts, 0.05)
    np.testing.assert_allclose(found, (1 - omega) * own + omega * plain, rtol=1e-6)
    durations = np.any(tape.gradient(found, log_probs)[..., 2:])
    assert durations == (omega < 1)


def test_the_loss_can_be_saved():
    loss = TDTLoss(DURATIONS, 0.05, 0.1)
    again = TDTLoss.from_config(loss.get_config())
    assert (again.durations, again.sigma, again.omega) == (DURATIONS, 0.05, 0.1)
