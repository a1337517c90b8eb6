"""`tflite_export.verify`: what a file computes beside its Keras model."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import asr_qat
import tflite_export
from asr_qat.errors import UserError

layers = keras.layers


@pytest.fixture(scope="module")
def x() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(4, 9, 8, 4)).astype(np.float32)


def chain() -> keras.Model:
    """Products after biases, factors and normalisations that a converter would like to move."""
    keras.utils.set_random_seed(0)
    image = keras.Input((9, 8, 4))
    y = layers.Rescaling(3.0, offset=0.7)(image)
    y = layers.Conv2D(8, 3, strides=2, padding="same", bias_initializer="normal", name="conv")(y)
    y = layers.BatchNormalization(beta_initializer="normal", name="folded")(y)
    y = layers.Dense(32, bias_initializer="normal", name="linear")(y)
    y = layers.Dense(16, activation="relu", bias_initializer="normal", name="rectified")(y)
    y = layers.BatchNormalization(beta_initializer="normal", name="alone")(y)
    y = layers.Dense(8, activation=tf.nn.relu6, name="bounded")(y)
    y = layers.Conv2D(8, 2, use_bias=False, name="last_conv")(layers.ZeroPadding2D(1)(y))
    y = layers.Dense(6, activation="tanh", name="last")(layers.GlobalAveragePooling2D()(y) * 0.5)
    return keras.Model(image, y)


@pytest.mark.parametrize("precision", ["w8a8", "w4a8", "w2a8-clip", "w4", "w2a8-asym"])
def test_every_product_is_equal(precision, x, tmp_path):
    model = asr_qat.quantize_model(chain(), precision)
    tflite_export.export(model, tmp_path / "m.tflite")
    found = tflite_export.verify(model, tmp_path / "m.tflite", x)
    names = [product.layer for product in found.products]
    assert names == ["conv", "linear", "rectified", "bounded", "last_conv", "last"]
    assert found.not_in_file == ()
    assert found.max_product_error < 5e-6
    assert found.max_output_error < 0.02


def test_a_shared_layer_has_several_products(x, tmp_path):
    shared = layers.Dense(4, name="shared")
    image = keras.Input((9, 8, 4))
    model = keras.Model(image, shared(layers.ReLU()(shared(image))))
    quantized = asr_qat.quantize_model(model, "w4a8")
    tflite_export.export(quantized, tmp_path / "m.tflite")
    (product,) = tflite_export.verify(quantized, tmp_path / "m.tflite", x).products
    assert product.rows == 2 * x[..., 0].size
    assert product.max_error < 1e-6


def test_other_weights_are_seen(x, tmp_path):
    model = asr_qat.quantize_model(chain(), "w4a8")
    tflite_export.export(model, tmp_path / "m.tflite")
    kernel = model.get_layer("linear").layer.variables
    bias = next(each for each in kernel if each.shape == [32])
    bias.assign(bias + np.linspace(0, 0.05, 32))
    found = tflite_export.verify(model, tmp_path / "m.tflite", x)
    wrong = [product.layer for product in found.products if product.max_error > 1e-5]
    assert wrong == ["linear"]
    assert " linear\n" in str(found)


def test_without_xnnpack_some_products_differ(x, tmp_path):
    """LiteRT quantizes activations symmetrically there, for even rows of 32 weights and more."""
    model = asr_qat.quantize_model(chain(), "w4a8")
    tflite_export.export(model, tmp_path / "m.tflite")
    found = tflite_export.verify(model, tmp_path / "m.tflite", x, xnnpack=False)
    errors = {product.layer: product.max_error for product in found.products}
    assert errors["rectified"] > 1e-4  # of 32 inputs
    assert errors["linear"] < 1e-6  # of 8


def test_signatures(x, tmp_path):
    model = asr_qat.quantize_model(chain(), "w4a8")
    shapes = {"two": (2, 9, 8, 4), "any": (None, 9, 8, 4)}
    tflite_export.export(model, tmp_path / "m.tflite", shapes)
    for name in shapes:
        found = tflite_export.verify(model, tmp_path / "m.tflite", x, name)
        assert found.max_product_error < 1e-6
        assert found.outputs[0].rows == len(x)
        assert (found.delegated == found.operators) == (name == "two")  # a fixed shape
    with pytest.raises(UserError, match="signature 'three': has "):
        tflite_export.verify(model, tmp_path / "m.tflite", x, "three")
    with pytest.raises(UserError, match="takes batches of 2"):
        tflite_export.verify(model, tmp_path / "m.tflite", x[:1], "two")


@pytest.mark.parametrize("activation", [None, "relu"])
@pytest.mark.parametrize("added", [3.0, np.linspace(-3, 3, 8).astype(np.float32)])
def test_what_is_added_after_a_static_range(activation, added, x, tmp_path):
    """The converter would make it a part of the bias, and the sum leave the range."""
    image = keras.Input((9, 8, 4))
    y = layers.Dense(8, activation, name="last")(image)
    model = keras.Model(image, [y, tf.nn.relu6(layers.Dense(8, activation)(image) + added)])
    quantized = asr_qat.quantize_after_training(model, "w8a8s", [x])
    tflite_export.export(quantized, tmp_path / "m.tflite")
    found = tflite_export.verify(quantized, tmp_path / "m.tflite", x.astype(np.float64))
    assert len(found.products) == 2
    assert found.max_product_error < 1e-6
    assert found.max_output_error < 1e-6


def test_a_file_of_another_model(x, tmp_path):
    tflite_export.export(asr_qat.quantize_model(chain(), "w4a8"), tmp_path / "m.tflite")
    image = keras.Input((9, 8, 4))
    other = asr_qat.quantize_model(keras.Model(image, layers.Dense(4)(image)), "w4a8")
    with pytest.raises(UserError, match="a quantized product of conv, and the model none"):
        tflite_export.verify(other, tmp_path / "m.tflite", x)


def test_a_missing_file_and_another_shape(x, tmp_path):
    path, model = tmp_path / "m.tflite", asr_qat.quantize_model(chain(), "w4a8")
    with pytest.raises(UserError, match=r"m\.tflite: no such file"):
        tflite_export.verify(model, path, x)
    tflite_export.export(model, path)
    with pytest.raises(UserError, match=r"has the shape \(\d+, 8, 8, 4\), and the file takes"):
        tflite_export.verify(model, path, x[:, 1:])


def test_what_is_not_a_number_is_an_error(x, tmp_path):
    model = asr_qat.quantize_model(chain(), "w4a8")
    tflite_export.export(model, tmp_path / "m.tflite")
    found = tflite_export.verify(model, tmp_path / "m.tflite", [x, np.full_like(x, np.nan)])
    assert np.isnan(found.max_product_error)
    assert np.isnan(found.max_output_error)


@pytest.mark.parametrize("name", ["a-b", "from", "kernel_0", "fence"])
def test_names_that_a_file_cannot_have(name, tmp_path):
    image = keras.Input((4,), name=name)
    quantized = asr_qat.quantize_model(keras.Model(image, layers.Dense(4)(image)), "w4a8")
    with pytest.raises(UserError, match=f"input {name}: it cannot have this name"):
        tflite_export.export(quantized, tmp_path / "m.tflite")
    assert not (tmp_path / "m.tflite").exists()
