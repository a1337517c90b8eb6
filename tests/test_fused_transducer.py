"""The joint network run slice by slice against the same run at once."""

import numpy as np
import pytest
import tensorflow as tf

from asr_qat.losses.fused_transducer import fused_transition_log_probs
from asr_qat.losses.transducer import lattice_loss, node_log_probs


def join(encoded, predicted, kernel, bias, unused):
    hidden = tf.tanh(encoded[:, :, None] + predicted[:, None])
    return tf.tensordot(hidden, kernel, 1) + bias + tf.stop_gradient(0.0 * unused)


def example(batch, time, count, features=5, classes=7, seed=0):
    rng = np.random.default_rng(seed)

    def normal(*shape):
        return tf.constant(rng.standard_normal(shape), tf.float32)

    labels = tf.constant(rng.integers(0, classes - 1, (batch, count)), tf.int32)
    weights = [normal(features, classes), normal(classes), normal(1)]
    return normal(batch, time, features), normal(batch, 1 + count, features), labels, weights


def at_once(encoded, predicted, labels, weights):
    return tf.stack(node_log_probs(join(encoded, predicted, *weights), labels), axis=-1)


def values_and_gradients(function, encoded, predicted, labels, weights, d_result):
    inputs = [encoded, predicted, *weights]
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        result = function(encoded, predicted, labels, weights)
    return result, *tape.gradient(result, inputs, d_result, tf.UnconnectedGradients.ZERO)


@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
@pytest.mark.parametrize(("time", "count"), [(1, 0), (6, 2), (7, 3), (8, 4)])
def test_slices_give_the_same_as_all_frames_at_once(mode, time, count):
    encoded, predicted, labels, weights = example(2, time, count)
    d_result = tf.random.stateless_normal([2, time, 1 + count, 2], [0, 1])

    def run(encoded, predicted, labels, weights, d_result):
        return values_and_gradients(
            lambda *inputs: fused_transition_log_probs(join, *inputs, frames=3),
            encoded, predicted, labels, weights, d_result,
        )  # fmt: skip

    if mode != "eager":
        unknown = [
            tf.TensorSpec([None, None, 5]),
            tf.TensorSpec([None, None, 5]),
            tf.TensorSpec([None, None], tf.int32),
            [tf.TensorSpec(weight.shape) for weight in weights],
            tf.TensorSpec([None, None, None, 2]),
        ]
        run = tf.function(run, input_signature=unknown, jit_compile=mode == "xla")
    results = run(encoded, predicted, labels, weights, d_result)
    expected = values_and_gradients(at_once, encoded, predicted, labels, weights, d_result)
    assert len(results) == 6
    for result, value in zip(results, expected, strict=True):
        assert result.shape == value.shape
        np.testing.assert_allclose(result, value, rtol=1e-5, atol=1e-5)
    assert not np.any(results[-1])  # of the weight without gradient
    assert all(np.any(result) for result in results[:-1])


def test_half_precision_keeps_types_and_sums_in_float32():
    encoded, predicted, labels, weights = example(2, 40, 3)
    expected = values_and_gradients(at_once, encoded, predicted, labels, weights, None)
    encoded, predicted, *weights = (
        tf.cast(value, tf.bfloat16) for value in (encoded, predicted, *weights)
    )
    results = values_and_gradients(
        lambda *inputs: fused_transition_log_probs(join, *inputs, frames=1),
        encoded, predicted, labels, weights, None,
    )  # fmt: skip
    assert results[0].dtype == tf.float32
    for result, value in zip(results[1:], expected[1:], strict=True):
        assert result.dtype == tf.bfloat16
        np.testing.assert_allclose(tf.cast(result, tf.float32), value, rtol=0.05, atol=0.3)


def test_training_through_the_lattice():
    """Loss of the whole chain, from variables, in a compiled step."""
    encoded, predicted, labels, weights = example(3, 9, 4)
    kernel = tf.Variable(weights[0])
    frames, counts = tf.constant([9, 5, 7]), tf.constant([4, 2, 0])

    def loss(transitions):
        blank, label = tf.unstack(transitions, axis=-1)
        return tf.reduce_sum(lattice_loss(blank, label[:, :, :-1], frames, counts))

    @tf.function
    def gradients():
        inputs = (encoded, predicted, labels, [kernel, *weights[1:]])
        with tf.GradientTape(persistent=True) as tape:
            fused = loss(fused_transition_log_probs(join, *inputs, frames=4))
            plain = loss(at_once(*inputs))
        return tape.gradient(fused, kernel), tape.gradient(plain, kernel)

    fused, plain = gradients()
    assert np.any(plain)
    np.testing.assert_allclose(fused, plain, rtol=1e-4, atol=1e-5)
