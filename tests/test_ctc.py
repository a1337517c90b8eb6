"""CTC by enumeration of all alignments, and the greedy search."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asr_qat.decoding.ctc_greedy import greedy_ctc
from asr_qat.losses.ctc import CTCLoss
from asr_qat.losses.targets import PADDING, pack_targets
from asr_qat.text.labels import frames_needed


def collapse(path, blank):
    """Merge repetitions, then drop blanks: the definition, one frame at a time."""
    labels = []
    previous = None
    for token in path:
        if token not in (previous, blank):
            labels.append(token)
        previous = token
    return labels


def enumerated(logits, labels):
    """-log of the summed probability of every alignment of `labels`."""
    frames, classes = logits.shape
    shifted = logits - logits.max(axis=1, keepdims=True)
    log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    total = sum(
        np.exp(sum(log_p[t, c] for t, c in enumerate(path)))
        for path in itertools.product(range(classes), repeat=frames)
        if collapse(path, classes - 1) == list(labels)
    )
    return -np.log(total)


def loss(logits, lengths, labels, halvings=0):
    targets = pack_targets(tf.constant(lengths), tf.constant(labels, tf.int32))
    function = CTCLoss(halvings, reduction="none")
    return CTCLoss.from_config(function.get_config())(targets, tf.constant(logits, tf.float32))


@settings(max_examples=25)
@given(
    frames=st.integers(1, 5),
    labels=st.lists(st.integers(0, 1), min_size=1, max_size=3),
    seed=st.integers(0, 1000),
)
def test_loss_is_the_sum_over_alignments(frames, labels, seed):
    assume(frames_needed(labels) <= frames)
    logits = np.random.default_rng(seed).normal(0, 3, (frames, 3))
    rows = [labels + [PADDING] * (4 - len(labels))]
    found = loss(logits[None], [frames], rows).numpy()
    np.testing.assert_allclose(found, [enumerated(logits, labels)], rtol=1e-4, atol=1e-4)


def test_batch_of_different_lengths():
    """Padding frames and padding labels change nothing."""
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 2, (3, 5, 3))
    lengths = [5, 3, 1]
    labels = [[0, 1, 0], [1, 1, PADDING], [0, PADDING, PADDING]]
    found = loss(logits, lengths, labels).numpy()
    for row in range(3):
        wanted = [token for token in labels[row] if token != PADDING]
        expected = enumerated(logits[row, : lengths[row]], wanted)
        assert found[row] == pytest.approx(expected, rel=1e-4)


def test_lengths_are_those_of_the_features():
    logits = np.random.default_rng(0).normal(0, 2, (1, 4, 3))
    for features, frames in ((9, 3), (12, 3), (13, 4), (16, 4)):
        expected = enumerated(logits[0, :frames], [0, 1])
        assert loss(logits, [features], [[0, 1]], halvings=2).numpy() == pytest.approx(
            [expected], rel=1e-4
        )


def test_blank_is_the_last_class():
    logits = np.full((1, 4, 3), -20.0)
    logits[0, [0, 1, 2, 3], [2, 0, 2, 1]] = 20.0
    certain = loss(logits, [4], [[0, 1]]).numpy()
    assert certain == pytest.approx([0.0], abs=1e-4)
    assert greedy_ctc(logits[0], blank=2) == [0, 1]


def test_gradient_by_finite_differences():
    rng = np.random.default_rng(1)
    logits = rng.normal(0, 1, (2, 4, 3))
    labels, lengths = [[0, 1], [1, PADDING]], [4, 3]
    x = tf.constant(logits, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(
            CTCLoss(0, reduction="none")(pack_targets(tf.constant(lengths), tf.constant(labels)), x)
        )
    gradient = tape.gradient(total, x).numpy()

    def value(moved):
        return enumerated(moved[0], [0, 1]) + enumerated(moved[1, :3], [1])

    step = 1e-5
    for index in np.ndindex(logits.shape):
        up, down = logits.copy(), logits.copy()
        up[index] += step
        down[index] -= step
        numeric = (value(up) - value(down)) / (2 * step)
        assert gradient[index] == pytest.approx(numeric, abs=1e-4), index


def test_too_few_frames_for_the_labels():
    """Contributes nothing, and does not spoil the rest of the batch."""
    logits = np.random.default_rng(2).normal(0, 1, (2, 3, 3))
    labels = [[0, 1, 1], [1, PADDING, PADDING]]  # the first needs a fourth frame between equals
    x = tf.constant(logits, tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(x)
        values = loss(x, [3, 3], labels)
    assert values[0] == 0.0
    assert float(values[1]) == pytest.approx(enumerated(logits[1], [1]), rel=1e-4)
    gradient = tape.gradient(values, x).numpy()
    assert np.isfinite(gradient).all()
    assert (gradient[0] == 0).all()


def test_in_a_graph():
    logits = tf.random.stateless_normal([2, 5, 4], [1, 2])
    targets = pack_targets(tf.constant([20, 12]), tf.constant([[0, 1], [2, PADDING]]))
    function = CTCLoss()
    traced = tf.function(function, autograph=False)
    np.testing.assert_allclose(traced(targets, logits), function(targets, logits), rtol=1e-5)


@given(labels=st.lists(st.integers(0, 2), max_size=6))
def test_frames_needed_is_the_shortest_alignment(labels):
    shortest = next(
        frames for frames in range(13) if frames >= len(labels) and frames >= len(_spaced(labels))
    )
    assert frames_needed(labels) == shortest


def _spaced(labels):
    path = []
    for label in labels:
        path += [3, label] if path and path[-1] == label else [label]
    return path


paths = st.lists(st.integers(0, 4), max_size=30)


@given(path=paths)
def test_greedy_collapses_the_best_path(path):
    logits = np.full((len(path), 5), -1.0, np.float32)
    logits[np.arange(len(path)), path] = 1.0
    found = greedy_ctc(logits, blank=4)
    assert found == collapse(path, 4)
    assert all(type(token) is int for token in found)


@given(path=paths, blank=st.integers(0, 4))
def test_greedy_gives_no_blank_and_no_more_than_the_frames(path, blank):
    logits = np.eye(5, dtype=np.float32)[path].reshape(-1, 5)
    found = greedy_ctc(logits, blank)
    assert blank not in found
    assert len(found) <= len(path)
    # Every frame twice says the same.
    assert greedy_ctc(np.repeat(logits, 2, axis=0), blank) == found


@given(labels=st.lists(st.integers(0, 3), max_size=8))
def test_greedy_reads_back_any_labels(labels):
    path = [token for label in labels for token in (4, label, label)]
    logits = np.eye(5, dtype=np.float32)[path].reshape(-1, 5)
    assert greedy_ctc(logits, blank=4) == labels
