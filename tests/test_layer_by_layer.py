"""Two runs of a model, layer by layer, against least squares and whole runs of the model."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import asr_qat
from asr_qat.errors import UserError
from asr_qat.quantize.apply import QuantizationConfig, quantized_layers
from asr_qat.quantize.calibrate import calibrate
from asr_qat.quantize.calibrated import quantize_calibrated
from asr_qat.quantize.dense import Dense
from asr_qat.quantize.layer_by_layer import DAMPING, round_layer_by_layer
from asr_qat.quantize.numerics import quantize_rows
from asr_qat.quantize.precision import parse
from tests.stock_fixtures import randomize, values


def model_of(size: int = 24) -> keras.Model:
    """Two branches, a sum, and a layer without a bias."""
    x = keras.Input((None, size), name="x")
    y = Dense(size, activation="relu", name="first")(x)
    left, right = Dense(size, name="left")(y), Dense(size, name="right", use_bias=False)(y)
    z = keras.layers.Add()([left, keras.activations.tanh(right), x])
    return randomize(keras.Model(x, Dense(7, name="last")(z)))


def batches_of(size: int = 24, count: int = 6):
    mix = values((size, size), 9) / np.sqrt(size)
    return [values((2, 30 + i, size), i) @ mix + 0.3 for i in range(count)]


def rounded(model, batches, name="w3a8"):
    return round_layer_by_layer(model, batches, lambda layer: parse(name))


def on_device(x):
    integers, scale = quantize_rows(x)
    return (integers * scale).numpy()


def rows(model, batches, name):
    inputs = keras.Model(model.input, model.get_layer(name).input)
    return np.concatenate([inputs(x).numpy().reshape(-1, inputs.output.shape[-1]) for x in batches])


def with_weights(model, found, names):
    """A copy of the model with some of its layers rounded."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for name in names:
        copy.get_layer(name).kernel.assign(found[name].kernel)
        if found[name].bias is not None:
            copy.get_layer(name).bias.assign(found[name].bias)
    return copy


def test_the_model_is_left_as_it_is():
    model, batches = model_of(), batches_of()
    before = model.get_weights()
    found = rounded(model, batches)
    assert set(found) == {"first", "left", "right", "last"}
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", ["first", "left", "right", "last"])
def test_a_layer_is_rounded_for_what_it_will_see(name):
    """The damped error of least squares is not much better with any other integer."""
    model, batches = model_of(), batches_of()
    found = rounded(model, batches)
    order = ["first", "left", "right", "last"]
    before = with_weights(model, found, order[: order.index(name)])
    meant, seen = rows(model, batches, name), on_device(rows(before, batches, name))
    layer = model.get_layer(name)
    weights, centred = layer.kernel.numpy(), layer.use_bias
    wanted = meant @ weights
    x = seen - seen.mean(axis=0) * centred
    damping = DAMPING * np.mean(x.var(axis=0) if centred else (x**2).mean(axis=0))

    def errors(kernel):
        off = wanted - seen @ kernel
        off -= off.mean(axis=0) * centred
        return (off**2).mean(axis=0) + damping * ((kernel - weights) ** 2).sum(axis=0)

    best = errors(found[name].kernel)
    scale = np.reshape(found[name].grid.scale, [-1])
    integers = found[name].kernel / scale
    for i in range(len(weights)):
        for move in (-1, 1):
            moved = found[name].kernel.copy()
            moved[i] += move * scale
            allowed = np.abs(np.rint(integers[i]) + move) <= 3
            assert (errors(moved) >= 0.99 * best)[allowed].all()
    if centred:
        off = wanted + layer.bias.numpy() - seen @ found[name].kernel - found[name].bias
        np.testing.assert_allclose(off.mean(axis=0), 0, atol=1e-4)


@pytest.mark.parametrize("precision", ["w4a8", "w2a8", "w2a8-asym", "w4", "w4a8s"])
def test_outputs_are_closer_than_by_rounding_to_the_nearest(precision):
    model, batches = model_of(), batches_of()
    config = QuantizationConfig(precision, "ptq")
    kept = quantize_calibrated(model, config, batches)
    plain = asr_qat.quantize_model(model, config)
    if precision.endswith("s"):
        calibrate(quantized_layers(plain), model, batches)
    fresh = [values((4, 50, 24), 77) @ (values((24, 24), 9) / np.sqrt(24)) + 0.3]

    def error(quantized):
        return np.mean([tf.reduce_mean((quantized(x) - model(x)) ** 2) for x in fresh])

    assert error(kept) < 0.7 * error(plain)


def test_stock_layers_that_do_more_than_one_product_keep_the_nearest_values():
    x = keras.Input((5, 8), name="x")
    twice = keras.layers.Dense(8, name="twice")
    y = keras.layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    y = keras.layers.GRU(8, return_sequences=True, name="gru")(twice(twice(y)))
    y = keras.layers.Conv1D(6, 3, name="conv")(y)
    model = randomize(keras.Model(x, keras.layers.Dense(3, name="after")(y)))
    quantized = asr_qat.quantize_after_training(model, "w4a8", [values((4, 5, 8))])
    found = {name: layer.precision.name for name, layer in quantized_layers(quantized).items()}
    rounded = {name for name, precision in found.items() if precision == "w4a8-learned"}
    attention = {f"attention.{part}" for part in ("query", "key", "value", "attention_output")}
    assert rounded == {*attention, "gru.input", "after"}
    assert {found[name] for name in ("twice", "gru.recurrent")} == {"w4a8"}
    assert found["conv"].startswith("w8a8")


def test_precisions_are_those_of_the_patterns():
    model, batches = model_of(), batches_of()
    overrides = {"^first$": "float", "right": "w8a8-b32", "left": "w2a8-asym"}
    overrides["^last$"] = "w4a8"  # as each layer is named here, too
    config = QuantizationConfig("mixed_4_8", "ptq", overrides=overrides)
    found = quantized_layers(quantize_calibrated(model, config, batches))
    assert {name: layer.precision.name for name, layer in found.items()} == {
        "left": "w2a8-asym-learned",
        "right": "w8a8-learned",  # 24 inputs are no whole block
        "last": "w4a8-learned",
    }


def test_nothing_to_calibrate_on():
    with pytest.raises(UserError, match="calibration: there is no batch in it"):
        rounded(model_of(), [])


@pytest.mark.parametrize("level", [0.0, 1.0, 300.0])
@pytest.mark.parametrize("precision", ["w4a8", "w2a8-asym"])
def test_inputs_that_never_change_lose_nothing(precision, level):
    """As of a silent recording, or of one frame: biases make up for all of it."""
    model, constant = model_of(), np.full((1, 9, 24), level, np.float32)
    for batch in (constant, values((1, 1, 24)) + level):
        quantized = quantize_calibrated(model, QuantizationConfig(precision, "ptq"), [batch])
        assert all(np.isfinite(weights).all() for weights in quantized.get_weights())
        if batch is constant:
            largest = np.abs(model(batch)).max()
            np.testing.assert_allclose(quantized(batch), model(batch), atol=0.02 * largest)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 1e30])
def test_values_that_are_no_numbers(wrong):
    batch = np.full((1, 3, 24), wrong, np.float32)
    with pytest.raises(UserError, match="calibration: what first sees is not finite"):
        rounded(model_of(), [batch])


def test_a_batch_that_does_not_fit():
    with pytest.raises(UserError, match=r"shape \(2, 3, 23\) for the input x, which takes \(None"):
        rounded(model_of(), [values((2, 3, 23))])
