"""Models inside of models in products: what they share, and how they are called."""

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

import asr_qat
import tflite_export
from asr_qat.errors import UserError
from asr_qat.quantize.stock.rules import in_products, stock_rewriter
from tests.stock_fixtures import assert_same, outputs, randomize, rewritten, values

L = keras.layers


def normalized(dense, norm) -> keras.Model:
    y = keras.Input((6,))
    return keras.Model(y, norm(dense(y)), name="part")


def test_a_product_that_is_used_outside_takes_nothing_over():
    dense, norm = L.Dense(6, name="dense"), L.BatchNormalization(name="norm")
    x = keras.Input((6,))
    model = keras.Model(x, L.Add()([normalized(dense, norm)(x), dense(x)]))
    rewritten(model, values((5, 6)), left=("part.norm",))


def test_a_normalisation_that_is_used_outside_stays():
    dense, norm = L.Dense(6, name="dense"), L.BatchNormalization(name="norm")
    x = keras.Input((6,))
    model = keras.Model(x, norm(L.ReLU()(normalized(dense, norm)(x))))
    rewritten(model, values((5, 6)), left=("part.norm",))


def test_a_product_that_is_in_a_wrapper_too_takes_nothing_over():
    dense, norm = L.Dense(6, name="dense"), L.BatchNormalization(name="norm")
    x = keras.Input((4, 6))
    model = keras.Model(x, L.Add()([norm(dense(x)), L.TimeDistributed(dense)(x)]))
    rewritten(model, values((5, 4, 6)), left=("norm",))


def test_a_model_that_ends_at_a_layer_of_another():
    dense, norm = L.Dense(6, name="dense"), L.BatchNormalization(name="norm")
    part = normalized(dense, norm)
    features = keras.Model(part.input, dense.output, name="features")
    x = keras.Input((6,))
    model = keras.Model(x, L.Add()([part(x), features(x)]))
    rewritten(model, values((5, 6)), left=("part.norm",))


def test_a_model_that_is_called_twice_takes_its_normalisation_over():
    part = normalized(L.Dense(6, name="dense"), L.BatchNormalization(name="norm"))
    x = keras.Input((6,))
    rewritten(keras.Model(x, part(part(x))), values((5, 6)))


def test_a_model_in_training_mode_normalises_by_the_batch():
    part = normalized(L.Dense(6, name="dense"), L.BatchNormalization(name="norm"))
    x = keras.Input((6,))
    model = randomize(keras.Model(x, part(x, training=True)))
    rewriter = stock_rewriter()
    found = rewriter.rewrite(model)
    assert [each.name for each in rewriter.left] == ["part.norm"]
    assert_same(outputs(model, values((5, 6))), outputs(found, values((5, 6))))


def test_a_model_that_is_called_by_the_names_of_its_inputs():
    z, a = keras.Input((4,), name="z"), keras.Input((4,), name="a")
    part = keras.Model([z, a], L.Subtract()([L.Dense(3)(z), L.Dense(3)(a)]), name="part")
    one, two = keras.Input((4,)), keras.Input((4,), dtype="int32")
    model = keras.Model([one, two], part({"z": one, "a": two}))
    rewritten(model, [values((5, 4)), values((5, 4), 1).astype(np.int32)])


def test_layers_that_are_not_trainable_stay_so():
    x = keras.Input((6,))
    model = keras.Model(x, L.Dense(3, name="b")(L.Dense(4, name="a")(x)))
    model.get_layer("a").trainable = False
    quantized = asr_qat.quantize_model(model, "w4a8")
    quantized.compile("sgd", "mse")
    before = [weight.numpy() for weight in quantized.get_layer("a").weights]
    count = len(quantized.weights)
    quantized.fit(values((8, 6)), values((8, 3)), verbose=0)
    assert len(quantized.trainable_weights) == 2
    for weight, old in zip(quantized.get_layer("a").weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), old)
    quantized.get_layer("a").trainable = True
    assert len(quantized.trainable_weights) == 4
    assert len(quantized.weights) == count


def gelu(x):
    return x * tf.sigmoid(1.702 * x)


@keras.utils.register_keras_serializable("tests")
def doubled(x):
    return 2.0 * x


def test_an_activation_of_a_name_that_keras_has():
    x = keras.Input((6,))
    for layer in (L.Dense(3, gelu, name="own"), L.Activation(gelu, name="own")):
        with pytest.raises(UserError, match=r"own: Keras does not know its activation gelu"):
            in_products(keras.Model(x, layer(L.Dense(3)(x))))


def test_known_activations():
    x = keras.Input((6,))
    h = x
    for function in (doubled, tf.nn.leaky_relu, tf.nn.silu, "gelu"):
        h = L.Dense(6, function)(h)
    rewritten(keras.Model(x, h), values((5, 6)))


def test_a_layer_without_configuration():
    class Own(L.Layer):
        def __init__(self, factor):
            super().__init__(name="own")
            self.factor = factor

        def call(self, x):
            return x * self.factor

    x = keras.Input((6,))
    with pytest.raises(UserError, match=r"own: Own cannot be made again from its get_config"):
        in_products(keras.Model(x, Own(2.0)(L.Dense(3)(x))))


def test_an_operation_with_the_weights_of_a_layer():
    ids, table = keras.Input((5,), dtype="int32"), L.Embedding(10, 8)
    model = keras.Model(ids, tf.matmul(table(ids), table.embeddings, transpose_b=True))
    with pytest.raises(UserError, match=r"reads the variable embedding.*make a layer"):
        in_products(model)


def test_patches_of_no_convolution():
    x = keras.Input((8, 8, 3))
    model = keras.Model(x, L.Conv2D(4, 1)(L.Conv2D(4, 3, name="wide")(x)))
    for given, line in (("^none", "matches no convolution"), ("[", "not a regular expression")):
        with pytest.raises(UserError, match=line):
            asr_qat.quantize_model(model, "w4a8", patches=given)


def test_a_quantized_model_is_not_quantized_again():
    x = keras.Input((6,))
    quantized = asr_qat.quantize_model(keras.Model(x, L.Dense(3)(x)), "w4a8")
    with pytest.raises(UserError, match="it is quantized"):
        asr_qat.quantize_model(quantized, "w8a8")


def test_outputs_keep_their_names(tmp_path):
    x = keras.Input((5, 6))
    h = L.LSTM(4, return_sequences=True)(x)
    tags = L.TimeDistributed(L.Dense(3), name="tags")(h)
    norm = L.BatchNormalization(name="norm")(L.Dense(2)(h))
    model = keras.Model(x, {"z": tags, "a": norm})
    found = asr_qat.quantize_model(model, "w4a8")
    assert found.output_names == model.output_names == ["norm", "tags"]
    tflite_export.export(found, tmp_path / "m.tflite")
    verified = tflite_export.verify(found, tmp_path / "m.tflite", values((2, 5, 6)))
    assert {output.name for output in verified.outputs} == {"norm", "tags"}
    assert verified.max_product_error < 1e-6


def test_a_normalisation_of_two_axes_stays():
    x = keras.Input((4, 6))
    norm = L.BatchNormalization(axis=[1, 2], name="norm")
    rewritten(keras.Model(x, norm(L.Dense(6)(x))), values((5, 4, 6)), left=("norm",))
