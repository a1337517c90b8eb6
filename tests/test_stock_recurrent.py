"""LSTM and GRU in products, against the stock layers."""

import functools

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from asr_qat.errors import UserError
from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from asr_qat.quantize.recurrence import Recurrence
from asr_qat.quantize.stock.rules import in_products
from tests.conftest import long_case
from tests.stock_fixtures import assert_same, outputs, rewritten, values

L = keras.layers
STEPS, CHANNELS = 5, 3
WAYS = ("forward", "backward")


def looped(model: keras.Model) -> keras.Model:
    """The model with loops in its graph."""
    for layer in model.layers:
        if isinstance(layer, Recurrence):
            layer.most_unrolled = 0
    return model


def check(layer, masked: bool = False, left: tuple[str, ...] = ()) -> keras.Model:
    """A layer computes the same, its steps written out and in a loop."""
    x = keras.Input((STEPS, CHANNELS))
    y = layer(L.Masking()(x) if masked else x)
    model = keras.Model(x, y if not left else L.Dense(2)(y))
    inputs = values((4, STEPS, CHANNELS))
    if masked:
        inputs[0, 3:] = inputs[1, :2] = inputs[2, 2] = 0.0
    found = rewritten(model, inputs, left)
    assert_same(outputs(model, inputs), outputs(looped(found), inputs))
    return found


LSTM = functools.partial(L.LSTM, 4)
GRU = functools.partial(L.GRU, 4)
GRU_V1 = functools.partial(L.GRU, 4, reset_after=False)


@pytest.mark.parametrize(
    ("kind", "go_backwards", "return_sequences", "masked"),
    [
        (LSTM, False, True, True),
        (LSTM, True, True, False),
        (GRU, True, False, True),
        (GRU_V1, False, True, True),
        *(long_case(kind, True, True, False) for kind in (GRU, GRU_V1)),
        *(long_case(kind, True, False, True) for kind in (LSTM, GRU_V1)),
        long_case(GRU, False, True, True),
    ],
)
def test_recurrence(kind, go_backwards, return_sequences, masked):
    layer = kind(go_backwards=go_backwards, return_sequences=return_sequences)
    check(layer, masked)


@pytest.mark.parametrize("kind", [LSTM, GRU, long_case(GRU_V1)])
def test_other_arguments(kind):
    check(kind(activation="relu", recurrent_activation="hard_sigmoid", use_bias=False))
    every = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    check(kind(dropout=0.5, **every), masked=True)


@pytest.mark.parametrize("merge", ["concat", long_case("mul"), None])
def test_bidirectional(merge):
    inner = L.LSTM(4, return_sequences=True, name="lstm")
    found = check(L.Bidirectional(inner, merge, name="both"), masked=True)
    products = [layer.name for layer in found.layers if layer.weights]
    expected = [f"both.{way}_lstm.{part}" for way in WAYS for part in ("input", "recurrent")]
    assert sorted(products) == sorted(expected)


def test_bidirectional_last_outputs():
    check(L.Bidirectional(L.GRU(4)))
    check(L.Bidirectional(L.LSTM(4), backward_layer=L.LSTM(3, go_backwards=True)), masked=True)


def test_states_and_any_number_of_steps():
    x, h, c = keras.Input((None, CHANNELS)), keras.Input((4,)), keras.Input((4,))
    layer = L.LSTM(4, return_sequences=True)
    model = keras.Model([x, h, c], layer(x, initial_state=[h, c]))
    rewritten(model, [values((2, 7, CHANNELS)), values((2, 4), 1), values((2, 4), 2)])


@pytest.mark.parametrize("argument", ["recurrent_dropout", "time_major"])
def test_what_stays(argument):
    value = {"recurrent_dropout": 0.5, "time_major": True}[argument]
    check(L.LSTM(4, name="stays", **{argument: value}), left=("stays",))


def test_other_cells_stay():
    check(L.Bidirectional(L.SimpleRNN(4), name="both"), left=("both",))


@pytest.mark.slow
def test_a_long_sequence_trains():
    """A loop has a gradient, and quantization that begins later does not hinder it."""
    x = keras.Input((40, CHANNELS))
    found = in_products(keras.Model(x, L.LSTM(4)(x)))
    quantized = quantize_model(found, QuantizationConfig("w4a8", start_step=2))
    quantized.compile("adam", "mse")
    before = [weight.copy() for weight in quantized.get_weights()]
    quantized.fit(values((4, 40, CHANNELS)), np.ones([4, 4]), verbose=0)
    moved = [np.any(a != b) for a, b in zip(before, quantized.get_weights(), strict=True)]
    assert sum(moved) >= 3  # both kernels and the bias


def test_a_mask_that_is_an_input_goes_on():
    x, mask = keras.Input((STEPS, CHANNELS)), keras.Input((STEPS,), dtype="bool")
    h = L.LSTM(4, return_sequences=True)(x, mask=mask)
    h = L.Bidirectional(L.GRU(4, return_sequences=True))(h, mask=mask)
    model = keras.Model([x, mask], L.LSTM(4)(h))
    seen = np.array([[1, 1, 1, 0, 0], [0, 1, 0, 1, 1]], bool)
    rewritten(model, [values((2, STEPS, CHANNELS)), seen])


def test_a_constant_first_state_is_refused():
    x = keras.Input((STEPS, CHANNELS), batch_size=2)
    y = L.GRU(4, name="steps")(x, initial_state=tf.ones((2, 4)))
    with pytest.raises(UserError, match=r"steps: its initial_state is a constant"):
        in_products(keras.Model(x, y))
