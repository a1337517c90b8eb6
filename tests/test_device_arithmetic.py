"""What LiteRT computes of a product is what training computes, at every precision it executes."""

import dataclasses
import itertools

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tensorflow import keras

from asr_qat.errors import UserError
from asr_qat.models.signatures import concrete
from asr_qat.quantize.apply import QuantizationConfig, quantize_model, quantized_layers
from asr_qat.quantize.calibrate import calibrate
from asr_qat.quantize.dense import Dense
from asr_qat.quantize.precision import parse
from tests.conftest import long_case
from tests.test_quantize_numerics import KINDS, rows
from tflite_export.convert.bake import bake_layer
from tflite_export.convert.convert import convert_labelled
from tflite_export.convert.pack import pack
from tflite_export.convert.serialize import serialize

UNITS = 10
DYNAMIC = ("w8a8", "w4a8", "w3a8", "w2a8", "w4a8-aqt", "w2a8-clip", "w4a8-learned", "w2a8-asym")
ONE_BIT = ("w1a8", "w1a8-learned", "w1a8-b32", "w1")
BLOCKS = ("w4a8-b32", "w3a8-b64", "w2a8-b32-clip", "w4a8-b32-learned", "w4a8-b128")
FLOATS = ("w8", "w4", "w3", "w2", "w2-asym-clip", "w4-learned")
STATIC = ("w8a8s", "w4a8s", "w3a8s", "w2a8s", "w4a8s-clip", "w2a8s-learned", "w1a8s")


def within(precision: str) -> float:
    """How equal they are, against the range of the output: see `asr_qat.quantize.precision`.

    Found on this test's inputs: 0; 2e-7, one or two bits of the largest output; where floats are
    summed, 1.4e-6.
    """
    parsed = parse(precision)
    if parsed.static:
        return 0
    return 5e-6 if parsed.activation_bits is None or parsed.asymmetric else 1e-6


def inputs_of(precision: str) -> int:
    """Several blocks, or 64."""
    return max(64, 2 * (parse(precision).block or 0))


@dataclasses.dataclass
class Pair:
    """A quantized Keras layer and the same layer in LiteRT."""

    keras: keras.Model
    scale: np.ndarray  # of the outputs: float32 `[units]`
    interpreter: Interpreter

    def run(self, x: np.ndarray) -> np.ndarray:
        """LiteRT's output."""
        self.interpreter.set_tensor(self.interpreter.get_input_details()[0]["index"], x)
        self.interpreter.invoke()
        return self.interpreter.get_tensor(self.interpreter.get_output_details()[0]["index"])


def make(precision, channels=64, delegate=True, activation=None, bias=True):
    inputs = keras.Input((channels,), batch_size=len(KINDS))
    layer = Dense(UNITS, activation=activation, use_bias=bias, name="dense")
    plain = keras.Model(inputs, layer(inputs))
    spread = np.geomspace(1e-3, 1e3, UNITS).astype(np.float32)
    if parse(precision).static:
        spread[:] = 1  # one range has to hold all outputs
    kernel = rows("normal", (channels, UNITS), 5) * spread
    layer.set_weights([kernel, *([0.3 * spread] if bias else [])])
    model = quantize_model(plain, QuantizationConfig(precision))
    calibrate(
        quantized_layers(model),
        plain,
        [rows("normal", (len(KINDS), channels), seed) for seed in range(4)],
    )
    baked = bake_layer("dense", quantized_layers(model)["dense"])
    if baked.offset is not None:
        layer.add_offset()
        layer.offset.assign(baked.offset)
    serve = concrete(lambda x: {"y": plain(x)}, tf.TensorSpec(inputs.shape, name="x"))
    converted = convert_labelled({"serve": serve}, plain.weights, plain)
    pack(converted, {"dense": baked}, {})
    interpreter = Interpreter(
        model_content=serialize(converted),
        num_threads=1,
        experimental_op_resolver_type=(
            OpResolverType.AUTO if delegate else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        ),
    )
    interpreter.allocate_tensors()
    return Pair(model, spread, interpreter)


def assert_equal(pair, channels, most, seeds=30):
    """Rows of every kind; the error against the range of the output."""
    for seed in range(seeds):
        x = np.stack([rows(kind, (1, channels), seed)[0] for kind in KINDS])
        served, trained = pair.run(x) / pair.scale, pair.keras(x).numpy() / pair.scale
        reach = np.abs(trained).max(axis=1, keepdims=True)
        error = np.abs(served - trained) / np.where(reach > 0, reach, 1)
        assert error.max() <= most, [KINDS[i] for i in np.flatnonzero(error.max(1) > most)]


@pytest.mark.parametrize("precision", [*DYNAMIC, *BLOCKS, *FLOATS, *ONE_BIT])
def test_training_is_what_the_device_computes(precision):
    channels = inputs_of(precision)
    pair = make(precision, channels)
    (layer,) = quantized_layers(pair.keras).values()
    assert layer.precision == parse(precision)  # blocks that do not fit would be replaced
    assert_equal(pair, channels, within(precision))


@pytest.mark.parametrize(
    ("precision", "activation"),
    [
        *((precision, None) for precision in STATIC),
        ("w4a8s", "relu"),
        ("w2a8s-learned", "swish"),
        *(long_case(precision, "relu") for precision in STATIC if precision != "w4a8s"),
        *(long_case(precision, "swish") for precision in STATIC if precision != "w2a8s-learned"),
    ],
)
def test_static_products_are_bit_equal(precision, activation):
    """Every output falls on the same integer; after a swish it is a float of its own."""
    pair = make(precision, activation=activation)
    assert_equal(pair, 64, 1e-6 if activation == "swish" else within(precision))


@pytest.mark.parametrize("precision", ["w4a8s", "w4a8", "w2a8-asym"])
def test_without_bias(precision):
    assert_equal(make(precision, bias=False), 64, within(precision))


# Rows of 23 weights at 4 bits, of 22 at 2, do not fill bytes: XNNPACK leaves them to others.
@pytest.mark.parametrize(
    ("case", "delegate"),
    itertools.product(
        [("w2a8", 22), ("w2a8", 23), ("w2a8", 24), ("w4a8", 23), ("w4a8", 24), ("w8a8", 24)],
        [True, False],
    ),
)
def test_plain_kernels_and_odd_rows(case, delegate):
    precision, channels = case
    pair = make(precision, channels, delegate)
    assert_equal(pair, channels, within(precision))


@pytest.mark.parametrize("precision", [*DYNAMIC, *BLOCKS, *FLOATS, *STATIC, *ONE_BIT])
def test_what_is_executed_is_said_to_be(precision):
    assert parse(precision).on_device


@pytest.mark.parametrize("precision", ["w32a8", "w32a8s", "w4a4", "w8a8-b32", "w4-b32"])
def test_training_only(precision):
    assert not parse(precision).on_device
    with pytest.raises(UserError, match=f"dense: LiteRT does not execute {precision}"):
        make(precision)


def test_one_other_integer_is_noticed():
    pair = make("w4a8")
    (layer,) = quantized_layers(pair.keras).values()
    kernel = layer.kernel.numpy()
    kernel[3, 4] += np.abs(kernel[:, 4]).max() / 7
    layer.kernel.assign(kernel)
    with pytest.raises(AssertionError):
        assert_equal(pair, 64, within("w4a8"))
