"""Layers of the prediction and joint networks against numpy, whole and step by step."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from asr_qat.layers.joint import Joint
from asr_qat.layers.label_context import LabelsBefore, LastLabels, ZeroState
from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from asr_qat.quantize.embedding import Embedding
from asr_qat.quantize.lstm import LSTM
from asr_qat.quantize.products import QuantizedKernel, native_product
from tests.quantize_fixtures import channel_grid, quantize_channels
from tests.test_layers import from_config, normal

VOCABULARY, BLANK = 7, 7
LABELS = np.array([[0, 6, 3], [5, 5, 1]], np.int32)


def quantize(layer, bits=4, activation_bits=8):
    """Replace a built layer's kernel by a quantized one: integers and scales."""
    weights = tf.constant(layer.kernel.numpy())
    integers, scale = quantize_channels(weights, bits)
    layer.kernel = QuantizedKernel(integers, channel_grid(scale), activation_bits, True, weights)
    return integers.numpy(), scale.numpy()


def test_embedding_gathers_rows():
    layer = from_config(Embedding(VOCABULARY, 5))
    layer(LABELS)
    table = normal(VOCABULARY, 5)
    layer.set_weights([table])
    np.testing.assert_array_equal(layer(LABELS), table[LABELS])


def test_embedding_of_other_labels_is_zero():
    """The blank before the first label, and the padding after the last one."""
    layer = Embedding(VOCABULARY, 5)
    labels = np.array([[BLANK, 2, -1, 1000]], np.int32)
    (rows,) = layer(labels).numpy()
    np.testing.assert_array_equal(rows[[0, 2, 3]], np.zeros((3, 5)))
    np.testing.assert_array_equal(rows[1], layer.kernel[2])


@pytest.mark.parametrize("bits", [2, 4, 8])
@pytest.mark.parametrize("activation_bits", [8, None])
def test_quantized_embedding_gathers_integers_times_scales(bits, activation_bits):
    layer = Embedding(VOCABULARY, 5)
    layer(LABELS)
    layer.set_weights([normal(VOCABULARY, 5)])
    integers, scale = quantize(layer, bits, activation_bits)
    np.testing.assert_allclose(layer(LABELS), (integers * scale)[LABELS], rtol=3e-7)
    np.testing.assert_array_equal(layer(np.array([[BLANK, -1]], np.int32)), np.zeros((1, 2, 5)))


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm(gates, recurrent, output, cell):
    """Float64, one row and one step after the other; a forget bias of one."""
    outputs = np.zeros((*gates.shape[:2], recurrent.shape[0]))
    last = np.zeros((2, gates.shape[0], recurrent.shape[0]))
    for row in range(gates.shape[0]):
        h, c = output[row].astype(np.float64), cell[row].astype(np.float64)
        for step in range(gates.shape[1]):
            i, f, g, o = np.split(gates[row, step] + h @ recurrent, 4)
            c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
            outputs[row, step] = h
        last[:, row] = h, c
    return outputs, *last


@pytest.fixture(params=["float", "w4a8", "w4"])
def recurrence(request):
    """A layer of 6 channels, and the kernel that its values stand for."""
    layer = from_config(LSTM(6))
    layer([normal(2, 2, 24), normal(2, 6), normal(2, 6)])
    layer.set_weights([normal(6, 24, seed=9)])
    if request.param == "float":
        return layer, layer.kernel.numpy(), 1e-5
    integers, scale = quantize(layer, 4, 8 if "a8" in request.param else None)
    return layer, integers * scale, 0.03 if "a8" in request.param else 1e-5


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_lstm(recurrence, steps):
    layer, kernel, tolerance = recurrence
    gates, state = normal(3, steps, 24), [normal(3, 6, seed=1), normal(3, 6, seed=2)]
    found = layer([gates, *state])
    assert [name for name, _ in layer.states()] == ["output", "cell"]
    assert [units for _, units in layer.states()] == [6, 6]
    for ours, expected in zip(found, lstm(gates, kernel, *state), strict=True):
        assert ours.shape == expected.shape
        np.testing.assert_allclose(ours, expected, atol=tolerance)


def test_lstm_is_the_stock_layer():
    """Gates in its order; its bias is that of the Dense layer in front and the forget bias."""
    x, kernel, recurrent, bias = normal(3, 5, 4), normal(4, 24), normal(6, 24), normal(24)
    stock = keras.layers.LSTM(6, return_sequences=True, return_state=True)
    stock(x)
    forget = np.repeat([0, 1, 0, 0], 6).astype(np.float32)
    stock.set_weights([kernel, recurrent, bias + forget])
    zeros = np.zeros((3, 6), np.float32)
    layer = LSTM(6)
    layer([x @ kernel + bias, zeros, zeros])
    layer.set_weights([recurrent])
    for ours, expected in zip(layer([x @ kernel + bias, zeros, zeros]), stock(x), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_lstm_step_by_step(recurrence):
    layer, _, _ = recurrence
    gates, state = normal(3, 8, 24), [np.zeros((3, 6), np.float32)] * 2
    whole, *last = layer([gates, *state])
    for step in range(8):
        output, *state = layer([gates[:, step : step + 1], *state])
        np.testing.assert_allclose(output[:, 0], whole[:, step], atol=1e-5)
    for ours, expected in zip(state, last, strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_lstm_of_any_number_of_steps(recurrence):
    layer, _, _ = recurrence
    traced = tf.function(
        lambda gates, *state: layer([gates, *state]),
        input_signature=[tf.TensorSpec([None, None, 24]), *[tf.TensorSpec([None, 6])] * 2],
        autograph=False,
    )
    for rows, steps in ((1, 1), (3, 4)):
        inputs = [normal(rows, steps, 24), normal(rows, 6, seed=1), normal(rows, 6, seed=2)]
        for ours, expected in zip(traced(*inputs), layer(inputs), strict=True):
            np.testing.assert_allclose(ours, expected, atol=1e-5)


def test_lstm_gradient_is_that_of_a_loop():
    gates, state = tf.constant(normal(2, 5, 24)), [tf.constant(normal(2, 6))] * 2
    layer = LSTM(6)
    layer([gates, *state])

    def gradients(outputs_of):
        with tf.GradientTape() as tape:
            tape.watch(gates)
            total = tf.reduce_sum(tf.square(outputs_of()))
        return tape.gradient(total, [gates, layer.kernel])

    def loop():
        outputs, after = [], state
        for step in range(5):
            output, *after = layer([gates[:, step : step + 1], *after])
            outputs.append(output)
        return tf.concat(outputs, axis=1)

    whole = gradients(lambda: layer([gates, *state])[0])
    for ours, expected in zip(whole, gradients(loop), strict=True):
        assert np.any(ours)
        np.testing.assert_allclose(ours, expected, atol=1e-4)


@pytest.mark.slow
def test_lstm_gradient_before_and_after_the_start_step():
    """A choice in each step of the recurrence."""
    inputs = [keras.Input((None, 24)), keras.Input((6,)), keras.Input((6,))]
    model = keras.Model(inputs, LSTM(6, name="lstm")(inputs)[0])
    values = [normal(2, 5, 24), normal(2, 6, seed=1), normal(2, 6, seed=2)]

    def gradient(network):
        @tf.function(autograph=False)
        def run():
            with tf.GradientTape() as tape:
                total = tf.reduce_sum(tf.square(network(values, training=True)))
            return tape.gradient(total, network.trainable_weights)

        return run()[0]

    late = quantize_model(model, QuantizationConfig("w4a8", start_step=1))
    np.testing.assert_allclose(gradient(late), gradient(model), atol=1e-5)  # not begun
    quantized = quantize_model(model, QuantizationConfig("w4a8"))
    np.testing.assert_allclose(gradient(late), gradient(quantized), atol=1e-5)
    assert np.abs(gradient(quantized) - gradient(model)).max() > 1e-3


@pytest.mark.parametrize("context", [2, 3, 5])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_last_labels(context, steps):
    layer = from_config(LastLabels(context, 4))
    embedded, state = normal(2, steps, 4), normal(2, (context - 1) * 4, seed=1)
    seen, after = layer([embedded, state])
    rows = np.concatenate([state.reshape(2, context - 1, 4), embedded], axis=1)
    for step in range(steps):
        expected = rows[:, step : step + context].reshape(2, -1)
        np.testing.assert_array_equal(seen[:, step], expected)
    np.testing.assert_array_equal(after, rows[:, steps:].reshape(2, -1))
    assert layer.states() == [("embeddings", (context - 1) * 4)]

    for step in range(steps):
        one, state = layer([embedded[:, step : step + 1], state])
        np.testing.assert_array_equal(one[:, 0], seen[:, step])
    np.testing.assert_array_equal(state, after)


def test_last_labels_of_any_number():
    layer = LastLabels(3, 4)
    specs = [tf.TensorSpec([None, None, 4]), tf.TensorSpec([None, 8])]
    traced = tf.function(lambda *xs: layer(xs), input_signature=specs, autograph=False)
    for steps in (1, 5):
        inputs = normal(2, steps, 4), normal(2, 8, seed=1)
        for ours, expected in zip(traced(*inputs), layer(inputs), strict=True):
            np.testing.assert_array_equal(ours, expected)


def test_before_the_labels():
    before = from_config(LabelsBefore(BLANK))(LABELS)
    assert before.dtype == tf.int32
    np.testing.assert_array_equal(before, [[BLANK, 0, 6, 3], [BLANK, 5, 5, 1]])
    np.testing.assert_array_equal(LabelsBefore(BLANK)(LABELS[:, :0]), [[BLANK], [BLANK]])
    np.testing.assert_array_equal(from_config(ZeroState(5))(LABELS), np.zeros((2, 5), np.float32))


ENCODED, PREDICTED = normal(2, 5, 6, seed=3), normal(2, 4, 6, seed=4)
CLASSES = VOCABULARY + 1
PRECISIONS = [None, QuantizationConfig("w4a8"), QuantizationConfig("w4")]
PRECISIONS += [QuantizationConfig("w4a8", start_step=step) for step in (1, 100)]
IDS = ["float", "w4a8", "w4", "w4a8-active", "w4a8-not-yet"]


def joint_model(frames_at_once, quantization, with_labels=True):
    """The layer in a model, as it is quantized, and its weights."""
    inputs = [keras.Input((None, 6)), keras.Input((None, 6))]
    if with_labels:
        inputs.append(keras.Input((None,), dtype="int32"))
    layer = Joint(CLASSES, frames_at_once, name="joint_output")
    model = keras.Model(inputs, layer(inputs))
    model.set_weights([normal(6, CLASSES, seed=5), normal(CLASSES, seed=6)])
    if quantization is not None:
        model = quantize_model(model, quantization)
        if quantization.start_step == 1:  # the first step in training is over
            inputs = [ENCODED, PREDICTED, LABELS][: len(inputs)]
            model(inputs, training=True)
    return model


def joint_logits(quantization):
    """What the product is said to be, in every pair of frame and label count."""
    hidden = np.tanh(ENCODED[:, :, None] + PREDICTED[:, None])
    kernel, bias = normal(6, CLASSES, seed=5), normal(CLASSES, seed=6)
    if quantization is None or quantization.start_step == 100:
        return hidden @ kernel + bias
    integers, scale = quantize_channels(tf.constant(kernel), 4)
    bits = 8 if "a8" in quantization.precision else None
    flat = native_product(tf.constant(hidden.reshape(-1, 6)), integers, channel_grid(scale), bits)
    return flat.numpy().reshape(2, 5, 4, CLASSES) + bias


@pytest.mark.parametrize("quantization", PRECISIONS, ids=IDS)
def test_joint_gives_logits(quantization):
    model = joint_model(None, quantization, with_labels=False)
    logits = model([ENCODED, PREDICTED])
    np.testing.assert_allclose(logits, joint_logits(quantization), atol=1e-5)


@pytest.mark.parametrize("frames_at_once", [None, 2])
@pytest.mark.parametrize("quantization", PRECISIONS[:3], ids=IDS[:3])
def test_joint_with_labels_gives_log_probabilities(quantization, frames_at_once):
    model = joint_model(frames_at_once, quantization)
    transitions = model([ENCODED, PREDICTED, LABELS]).numpy()
    logits = joint_logits(quantization).astype(np.float64)
    log_probs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    assert transitions.shape == (2, 5, 4, 2)
    np.testing.assert_allclose(transitions[..., 0], log_probs[..., BLANK], atol=1e-5)
    for row, labels in enumerate(LABELS):
        for count, label in enumerate(labels):
            np.testing.assert_allclose(
                transitions[row, :, count, 1], log_probs[row, :, count, label], atol=1e-5
            )


def joint_gradients(frames_at_once, quantization):
    """Transitions, and the gradients of inputs and weights, as a training computes them."""
    model = joint_model(frames_at_once, quantization)
    encoded, predicted = tf.constant(ENCODED), tf.constant(PREDICTED)
    upstream = normal(2, 5, 4, 2, seed=7)

    @tf.function(autograph=False)
    def gradients():
        with tf.GradientTape() as tape:
            tape.watch([encoded, predicted])
            transitions = model([encoded, predicted, LABELS], training=False)
        sources = [encoded, predicted, *model.trainable_weights]
        return transitions, *tape.gradient(transitions, sources, upstream)

    return gradients()


@pytest.mark.slow
@pytest.mark.parametrize("quantization", PRECISIONS, ids=IDS)
def test_joint_slice_by_slice(quantization):
    """Two frames at a time, of five, give the same as all frames at once."""
    found, expected = (joint_gradients(frames, quantization) for frames in (2, None))
    assert len(found) == 5
    for ours, theirs in zip(found, expected, strict=True):
        assert np.any(theirs)
        np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_configurations():
    layer = from_config(from_config(Joint(5, 3, name="joint_output")))
    assert (layer.units, layer.frames_at_once, layer.name) == (5, 3, "joint_output")
    assert from_config(Joint(5)).frames_at_once is None
    layer = from_config(from_config(LSTM(6, name="a")))
    assert (layer.units, layer.states(), layer.name) == (24, LSTM(6).states(), "a")
    layer = from_config(from_config(Embedding(7, 4, name="b")))
    assert (layer.vocab_size, layer.units, layer.use_bias, layer.name) == (7, 4, False, "b")
