"""Static activations: against numpy integers, and their ranges in training."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.quantize.apply import QuantizationConfig, quantize_model, quantized_layers
from asr_qat.quantize.calibrate import calibrate
from asr_qat.quantize.dense import Dense
from asr_qat.quantize.static_ranges import MOMENTUM, StaticRange, quantize_static, range_parameters
from asr_qat.training.quantized import post_training
from tests.test_quantize_numerics import rows
from tests.training_fixtures import configuration, train

pytest_plugins = ["tests.export_fixtures", "tests.training_fixtures"]


def layer(quantization, activation=None):
    """A quantized model of one layer, and the plain one."""
    inputs = keras.Input((16,))
    plain = keras.Model(inputs, Dense(5, activation=activation, name="dense")(inputs))
    plain.get_layer("dense").set_weights([rows("normal", (16, 5), 1), rows("normal", (5,), 2)])
    return quantize_model(plain, quantization), plain


def ends(model) -> list[float]:
    variables = quantized_layers(model)["dense"].variables
    names = ("input_low", "input_high", "output_low", "output_high")
    return [float(variables[name]) for name in names]


def test_zero_is_exact_and_the_ends_are_kept():
    for low, high in [(-1.0, 2.0), (0.5, 3.0), (-4.0, -1.0), (0.0, 0.0)]:
        scale, zero = (float(v) for v in range_parameters(tf.constant(low), tf.constant(high)))
        assert zero == round(zero) and -128 <= zero <= 127
        x = tf.constant([0.0, min(low, 0.0), max(high, 0.0)])
        integers = quantize_static(x, scale, zero).numpy()
        assert integers[0] == 0
        np.testing.assert_allclose(integers * scale, x, atol=0.51 * scale)


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("mode", ["native", "fake"])
def test_against_numpy(mode, activation):
    model, plain = layer(QuantizationConfig("w4a8s", mode), activation)
    x = rows("normal", (50, 16), 3)
    calibrate(quantized_layers(model), plain, [x[:25], x[25:]])
    found = quantized_layers(model)["dense"]
    integers, grid = (found.integers()[0].numpy(), found.integers()[1].scale.numpy())
    ranges = found.ranges()
    (s_x, z_x), (s_y, z_y) = (
        [float(v) for v in r.parameters()] for r in (ranges.input, ranges.output)
    )
    x = 1.5 * x  # some of it beyond the range
    q = np.clip(np.rint(x / s_x) + z_x, -128, 127) - z_x
    sums = q @ integers + np.rint(found.bias.numpy() / (s_x * grid))
    y = sums * s_x * grid
    y = np.maximum(y, 0) if activation else y
    expected = (np.clip(np.rint(y / s_y) + z_y, -128, 127) - z_y) * s_y
    assert (np.abs(expected - model(x).numpy()) < 1.01 * s_y).all()  # ties may differ
    # Fake quantization does not round the bias, which moves some sums over an edge.
    share = np.mean(np.abs(expected - model(x).numpy()) > 1e-4 * s_y)
    assert share < (0.01 if mode == "native" else 0.08)


def test_calibration_is_the_mean_over_batches():
    model, plain = layer(QuantizationConfig("w4a8s"))
    batches = [rows("normal", (4, 16), seed) for seed in range(3)]
    calibrate(quantized_layers(model), plain, batches)
    outputs = [plain(x).numpy() for x in batches]
    expected = [
        np.mean([f(x) for x in tensors]) for tensors in (batches, outputs) for f in (np.min, np.max)
    ]
    np.testing.assert_allclose(ends(model), expected, rtol=1e-5)


def test_averaged_ranges_move_in_training_alone():
    model, plain = layer(QuantizationConfig("w4a8s"))
    x = rows("normal", (8, 16), 3)
    calibrate(quantized_layers(model), plain, [x])
    before = ends(model)
    model(3 * x, training=False)
    assert ends(model) == before
    model(3 * x, training=True)
    assert ends(model)[1] == pytest.approx(
        before[1] + (1 - MOMENTUM) * (3 * float(x.max()) - before[1]), rel=1e-5
    )


def test_learned_ranges_have_a_gradient():
    model, plain = layer(QuantizationConfig("w4a8s", activation_ranges="learned"))
    x = rows("normal", (8, 16), 3)
    calibrate(quantized_layers(model), plain, [x])
    before = ends(model)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.square(model(2 * x, training=True) - plain(2 * x)))
    assert ends(model) == before
    variables = quantized_layers(model)["dense"].variables
    gradients = tape.gradient(loss, [variables["input_low"], variables["input_high"]])
    # Twice the range it was calibrated to: wider is better on both sides.
    assert gradients[0] > 0 > gradients[1]


def test_beyond_the_range_there_is_no_gradient():
    low, high = tf.Variable(-1.0), tf.Variable(1.0)
    scale, zero = StaticRange(low, high, False).parameters()
    x = tf.constant([0.3, 5.0, -5.0])
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = quantize_static(x, scale, zero) * scale
    np.testing.assert_allclose(tape.gradient(y, x), [1.0, 0.0, 0.0], atol=1e-6)


def test_after_training_it_needs_data(float_recogniser):
    with pytest.raises(UserError, match="w4a8s: its activations have static ranges"):
        post_training(float_recogniser, "w4a8s")


@pytest.mark.slow
@pytest.mark.usefixtures("without_wer")
def test_training_begins_with_calibrated_ranges(prepared_folder, float_run, tmp_path):
    config, plain = float_run
    changes = {"start": config.output, "quantization": QuantizationConfig("w4a8s"), "steps": 3}
    trained = train(configuration(prepared_folder, tmp_path / "model", **changes), quiet=True)
    calibrated = post_training(plain, "w4a8s", prepared_folder)
    for name, found in quantized_layers(trained.model).items():
        begun = quantized_layers(calibrated.model)[name].variables
        low, high = float(begun["output_low"]), float(begun["output_high"])
        assert high > low
        reach = high - low
        assert float(found.variables["output_low"]) == pytest.approx(low, abs=0.3 * reach)
        assert float(found.variables["output_high"]) == pytest.approx(high, abs=0.3 * reach)
    assert dataclasses.asdict(trained.config.quantization)["precision"] == "w4a8s"
    assert PreparedFolder(prepared_folder).stats.frames > 0
