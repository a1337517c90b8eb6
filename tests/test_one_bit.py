"""Weights of one bit, -1 or 1 times a scale, against numpy; and what they leave to compress."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from asr_qat.errors import UserError
from asr_qat.quantize.apply import QuantizationConfig, quantize_model, quantized_layers
from asr_qat.quantize.dense import Dense, InnerDense
from asr_qat.quantize.grids import best_share, grid_of, on_grid, values
from asr_qat.quantize.precision import Precision, parse
from asr_qat.quantize.rows import RowEmbedding
from tests.test_quantize_numerics import rows
from tflite_export.convert.packed import packed_integers, unpacked_integers
from tflite_export.runtime.least_runtime import least_runtime
from tflite_export.score.wire import wire_bytes

INPUTS, OUTPUTS, RATE = 24, 5, 0.1


def weights(seed=3):
    return rows("normal", (INPUTS, OUTPUTS), seed) * np.geomspace(0.01, 10, OUTPUTS)


def signs(kernel):
    return np.where(kernel >= 0, 1.0, -1.0)


def rounded(kernel, precision):
    kernel = tf.constant(kernel, tf.float32)
    grid = grid_of(kernel, precision)
    return values(on_grid(kernel, grid, precision), grid).numpy()


@pytest.mark.parametrize(
    "name", ["w1", "w1a8", "w1a8s", "w1a8-b32", "w1a8-learned", "w1a8s-learned"]
)
def test_names(name):
    precision = parse(name)
    assert precision.name == name
    assert (precision.weight_bits, precision.on_device) == (1, True)
    assert precision.storage_bits == (4 if precision.block else 2)
    assert least_runtime([name]) == least_runtime([name.replace("w1", "w2")])


@pytest.mark.parametrize("name", ["w1a8-clip", "w1a8-aqt", "w1a8-asym"])
def test_there_is_nothing_to_clip_and_no_offset(name):
    with pytest.raises(UserError, match=f"precision '{name}': expected one of .*w<8.4.3.2.1>"):
        parse(name)


def test_stages_end_at_two_bits():
    with pytest.raises(UserError, match="stages: 1 bits: expected one of 2, 3, 4, 8"):
        QuantizationConfig("w1a8", stages={0: 8, 10: 1})


def test_the_grid_is_the_best_one_of_signs():
    kernel = weights()
    found = rounded(kernel, parse("w1"))
    np.testing.assert_allclose(found, signs(kernel) * np.abs(kernel).mean(axis=0), rtol=1e-5)
    least = ((found - kernel) ** 2).sum(axis=0)
    for share in (0.95, 1.05):
        assert (((share * found - kernel) ** 2).sum(axis=0) > least).all()
    np.testing.assert_array_equal(
        best_share(tf.constant(kernel), parse("w1")), np.ones([1, OUTPUTS])
    )


def test_a_channel_of_zeros_is_next_to_nothing():
    assert np.abs(rounded(np.zeros((INPUTS, 2)), parse("w1"))).max() < 1e-15


def trained(precision):
    """A layer in front of a squared error, and its weights before and after one step."""
    inputs = keras.Input((INPUTS,))
    layer = Dense(OUTPUTS, name="dense")
    plain = keras.Model(inputs, layer(inputs))
    layer.set_weights([weights(), np.linspace(-1, 1, OUTPUTS)])
    model = quantize_model(plain, QuantizationConfig(precision))
    model.compile(keras.optimizers.SGD(RATE), "mse")
    x, y = rows("normal", (16, INPUTS), 1), rows("normal", (16, OUTPUTS), 2)
    (own,) = quantized_layers(model).values()
    scale = own.variables["scale"].numpy() if "scale" in own.variables else None
    model.train_on_batch(x, y)
    return own, x, y, scale


@pytest.mark.parametrize("precision", ["w1", "w1-learned"])
def test_a_training_step(precision):
    """The gradient of the rounded product goes to the float weights as if they were rounded."""
    own, x, y, scale = trained(precision)
    kernel, bias = weights(), np.linspace(-1, 1, OUTPUTS)
    scale = np.abs(kernel).mean(axis=0, keepdims=True) if scale is None else scale
    off = 2 * (x @ (signs(kernel) * scale) + bias - y) / y.size
    np.testing.assert_allclose(own.kernel, kernel - RATE * x.T @ off, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(own.bias, bias - RATE * off.sum(axis=0), rtol=1e-4, atol=1e-5)
    if "scale" in own.variables:
        slope = (off * (x @ signs(kernel))).sum(axis=0, keepdims=True)
        np.testing.assert_allclose(own.variables["scale"], scale - RATE * slope, rtol=1e-4)


def test_layers_that_learn_no_scale_take_the_mean():
    layer = InnerDense(OUTPUTS)
    layer.build([None, INPUTS])
    assert layer.executed(parse("w1a8-learned")) == parse("w1a8")
    assert RowEmbedding(8, 4).executed(parse("w1a8-learned")) == Precision(1)
    assert RowEmbedding(8, 2).executed(parse("w1a8-learned")) == Precision(4, range="clip")


@pytest.mark.parametrize(("levels", "bits"), [((-1, 1), 1.0), ((-1, 0, 1), np.log2(3))])
def test_on_the_wire_they_take_what_they_tell(levels, bits):
    """Two bits each in the file; compressed, within a few percent of the entropy."""
    integers = np.random.default_rng(0).choice(levels, 2**18).astype(np.int8)
    packed = packed_integers(integers, 2)
    assert 8 * packed.nbytes == 2 * integers.size
    assert 1 <= 8 * wire_bytes(packed.tobytes()) / (bits * integers.size) < 1.03
    np.testing.assert_array_equal(unpacked_integers(packed, 2, integers.shape), integers)
