"""Dense, EinsumDense and TimeDistributed in products, against the stock layers."""

import pytest
from tensorflow import keras

from asr_qat.quantize.stock.einsum import Contraction, contraction
from asr_qat.quantize.stock.rules import stock_rewriter
from tests.stock_fixtures import assert_same, labels, outputs, rewritten, values

L = keras.layers


def names(model) -> list[str]:
    return [layer.name for layer in model.layers if layer.weights]


@pytest.mark.parametrize(
    ("equation", "expected"),
    [
        ("abc,cd->abd", Contraction(1, "d")),
        ("abc,cde->abde", Contraction(1, "de")),
        ("abcd,cde->abe", Contraction(2, "e")),
        ("...x,xy->...y", Contraction(1, "y")),
        ("...xz, xzy -> ...y", Contraction(2, "y")),
        ("abc,bd->adc", None),  # a middle axis
        ("abcd,dce->abe", None),  # another order
        ("abc,dc->abd", None),  # the kernel's other side
        ("abc,cd->adb", None),
        ("ab...,bc->ac...", None),
        ("abc,bcd->abd", None),  # a kernel for each place
    ],
)
def test_contraction(equation, expected):
    assert contraction(equation) == expected


@pytest.mark.parametrize(
    ("equation", "given", "result", "bias", "activation"),
    [
        ("abc,cde->abde", (None, 6), (None, 2, 5), "de", None),
        ("abc,cde->abde", (4, 6), (4, 2, 5), "e", "softmax"),
        ("abcd,cde->abe", (None, 3, 5), (None, 8), "e", "relu"),
        ("abcd,cdef->abef", (4, 3, 5), (4, 2, 6), None, "tanh"),
        ("...x,xy->...y", (4, 7), 8, "y", None),
    ],
)
def test_einsum_dense(equation, given, result, bias, activation):
    x = keras.Input(given)
    layer = L.EinsumDense(equation, result, bias_axes=bias, activation=activation, name="e")
    inputs = values((3, *(length or 4 for length in given)))
    assert names(rewritten(keras.Model(x, layer(x)), inputs)) == ["e"]


def test_einsum_of_other_axes_stays():
    x = keras.Input((4, 6))
    model = keras.Model(x, L.EinsumDense("abc,bd->adc", (5, 6), name="mixes")(x))
    rewriter = stock_rewriter()
    rewriter.rewrite(model)
    (left,) = rewriter.left
    assert (left.name, left.kind) == ("mixes", "EinsumDense")
    assert "abc,bd->adc" in left.reason


def test_bias_of_a_batch_axis_stays():
    x = keras.Input((4, 6))
    layer = L.EinsumDense("abc,cd->abd", (4, 5), bias_axes="bd", name="e")
    rewritten(keras.Model(x, L.Dense(2)(layer(x))), values((2, 4, 6)), left=("e",))


def test_shared_nested_and_operations():
    """A shared layer, a model in the model used twice, and TensorFlow's operations between."""
    y = keras.Input((None, 6))
    part = keras.Model(y, L.Dense(6, "relu", name="dense")(y * 2.0), name="part")
    x = keras.Input((None, 6))
    shared = L.Dense(6, name="dense")
    h = part(shared(shared(x) + 1.0))
    h = part(h)[..., :3]
    model = keras.Model(x, L.Softmax()(h))
    found = rewritten(model, values((2, 5, 6)))
    assert names(found) == ["dense", "part.dense"]


@pytest.mark.parametrize(
    "inner", [L.Dense(5, "relu", name="d"), L.EinsumDense("ab,bcd->acd", (2, 3), name="d")]
)
def test_time_distributed(inner):
    x = keras.Input((None, 6))
    model = keras.Model(x, L.TimeDistributed(inner, name="each")(x))
    assert names(rewritten(model, values((2, 4, 6)))) == ["each.d"]


def test_time_distributed_convolutions():
    x = keras.Input((3, 4, 4, 5))
    h = L.TimeDistributed(L.Conv2D(6, 1, strides=2, name="conv"), name="first")(x)
    h = L.TimeDistributed(L.SeparableConv2D(4, 2, name="conv"), name="second")(h)
    found = rewritten(keras.Model(x, h), values((2, 3, 4, 4, 5)))
    assert names(found) == ["first.conv", "second.conv.depthwise", "second.conv.pointwise"]


def test_masks_pass_through_wrapped_products():
    x = keras.Input((5, 6))
    h = L.Masking()(x)
    h = L.Dense(4, name="a")(h)
    h = L.TimeDistributed(L.Dense(4, name="b"), name="each")(h)
    model = keras.Model(x, L.GlobalAveragePooling1D()(h))
    inputs = values((3, 5, 6))
    inputs[0, 2:] = 0.0
    inputs[1, 1] = 0.0
    rewritten(model, inputs)


def test_dropout_of_a_training_call_stays():
    x = keras.Input((8,))
    h = L.Dense(8, name="a")(x)
    h = L.Dropout(0.5)(h, training=True)
    model = keras.Model(x, L.Dense(4, name="b")(h))
    found = stock_rewriter().rewrite(model)
    y = [found(values((1, 8))).numpy() for _ in range(8)]
    assert any((each != y[0]).any() for each in y[1:])


def test_a_nested_model_in_training_mode():
    y = keras.Input((8,))
    part = keras.Model(y, L.Dropout(0.5)(L.Dense(8, name="a")(y)), name="part")
    x = keras.Input((8,))
    found = stock_rewriter().rewrite(keras.Model(x, part(x, training=True)))
    y = [found(values((1, 8))).numpy() for _ in range(8)]
    assert any((each != y[0]).any() for each in y[1:])


def test_a_normalisation_by_the_batch_is_not_folded():
    x = keras.Input((8,))
    h = L.BatchNormalization(name="norm")(L.Dense(4, name="a")(x), training=True)
    model = keras.Model(x, h)
    rewriter = stock_rewriter()
    found = rewriter.rewrite(model)
    assert [each.name for each in rewriter.left] == ["norm"]
    assert_same(outputs(model, values((6, 8))), outputs(found, values((6, 8))))


def test_reasons():
    class Own(L.Layer):
        def build(self, shape):
            self.kernel = self.add_weight("kernel", [shape[-1], 2])

        def call(self, x):
            return x @ self.kernel

        def get_config(self):
            return super().get_config()

    x = keras.Input((4, 6))
    h = Own(name="own")(L.LayerNormalization(name="norm")(x))
    h = L.Conv1DTranspose(3, 2, name="transpose")(h)
    rewriter = stock_rewriter()
    rewriter.rewrite(keras.Model(x, h))
    reasons = {each.name: each.reason for each in rewriter.left}
    assert set(reasons) == {"norm", "own", "transpose"}
    assert "vectors" in reasons["norm"]
    assert "no stock layer" in reasons["own"]
    assert "no quantized product" in reasons["transpose"]


def test_a_layer_in_time_distributed_that_reads_masks_stays():
    ids = keras.Input((3, 5), dtype="int32")
    h = L.Embedding(10, 6, mask_zero=True, name="table")(ids)
    h = L.TimeDistributed(L.GlobalAveragePooling1D(), name="mean")(h)
    model = keras.Model(ids, L.Dense(2, name="last")(h))
    rewritten(model, labels((4, 3, 5), 3))
