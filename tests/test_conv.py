"""Quantized convolutions: against integers in numpy, against LiteRT, and in a whole network."""

from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from tensorflow import keras

from asr_qat.models.model_directory import Recogniser
from asr_qat.models.signatures import concrete
from asr_qat.models.summary import summarize
from asr_qat.pretrained.import_checkpoint import import_checkpoint
from asr_qat.quantize.apply import QuantizationConfig, quantize_model, quantized_layers
from asr_qat.quantize.conv import Conv2D
from asr_qat.training.quantized import post_training, quantized
from tests.conftest import long_case
from tests.test_quantize_numerics import KINDS, reference_channels, reference_rows, rows
from tflite_export.convert.bake import bake
from tflite_export.convert.convert import convert_labelled, convert_recogniser
from tflite_export.convert.labels import merged_factors
from tflite_export.convert.pack import pack
from tflite_export.convert.serialize import serialize
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.inspect import inspect
from tflite_export.score.product_equality import product_errors

IMAGE = (len(KINDS), 11, 9, 8)  # an image of each kind
OUTPUTS = 6
SHAPES = {
    "as in subsampling": {"kernel_size": 3, "strides": 2, "activation": "relu"},
    "same": {"kernel_size": 3, "padding": "same"},
    "same, strides": {"kernel_size": (5, 3), "strides": (2, 3), "padding": "same"},
    "dilated": {"kernel_size": 3, "dilation_rate": 2, "padding": "same"},
    "dilated, valid": {"kernel_size": (2, 3), "dilation_rate": (3, 2)},
    "long": {"kernel_size": (1, 4), "use_bias": False},
    "one element, strides": {"kernel_size": 1, "strides": 2},
}
PIXELWISE = {"kernel_size": 1}


def plain_model(**shape) -> keras.Model:
    """One convolution, with outputs of different sizes."""
    inputs = keras.Input(IMAGE[1:], batch_size=IMAGE[0])
    layer = Conv2D(OUTPUTS, name="conv", **shape)
    model = keras.Model(inputs, layer(inputs))
    spread = np.geomspace(1e-2, 1e2, OUTPUTS).astype(np.float32)
    kernel = rows("normal", layer.kernel.shape, 5) * spread
    layer.set_weights([kernel, 0.3 * spread] if layer.use_bias else [kernel])
    return model


def images(seed: int = 0) -> np.ndarray:
    """One of each kind; the last frames of some are zeros."""
    x = np.stack([rows(kind, IMAGE[1:], seed) for kind in KINDS])
    x[::2, -3:] = 0
    return x


def file_of(plain: keras.Model, model: keras.Model) -> bytes:
    """The quantized layers of `model` as a `.tflite`."""
    serve = concrete(lambda x: {"y": plain(x)}, tf.TensorSpec(IMAGE, name="x"))
    converted = convert_labelled({"serve": serve}, plain.weights, plain)
    pack(converted, bake(quantized_layers(model)), merged_factors(plain))
    return serialize(converted)


def interpreter_of(content: bytes, delegate: bool = True) -> Interpreter:
    """LiteRT with a file, with or without XNNPACK."""
    kinds = OpResolverType
    interpreter = Interpreter(
        model_content=content,
        num_threads=1,
        experimental_op_resolver_type=(
            kinds.AUTO if delegate else kinds.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        ),
    )
    interpreter.allocate_tensors()
    return interpreter


def on_device(plain: keras.Model, model: keras.Model) -> Interpreter:
    """The quantized layers of `model` in LiteRT."""
    return interpreter_of(file_of(plain, model))


def run(interpreter: Interpreter, x: np.ndarray) -> np.ndarray:
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def assert_equal(served: np.ndarray, trained: np.ndarray, most: float) -> None:
    """Against the range of each channel of each image."""
    reach = np.abs(trained).max(axis=(1, 2), keepdims=True)
    error = np.abs(served - trained) / np.where(reach > 0, reach, 1)
    assert error.max() <= most, {k: e.max() for k, e in zip(KINDS, error, strict=True)}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_training_is_what_the_device_computes(shape):
    plain = plain_model(**shape)
    model = quantize_model(plain, QuantizationConfig("w4a8"))
    content = file_of(plain, model)
    for delegate in (True, False):
        interpreter = interpreter_of(content, delegate)
        for seed in range(5):
            x = images(seed)
            assert_equal(run(interpreter, x), model(x).numpy(), 1e-6)


def test_a_kernel_of_one_element_has_a_scale_for_each_pixel():
    plain = plain_model(**PIXELWISE)
    model = quantize_model(plain, QuantizationConfig("w8a8"))
    assert_equal(run(on_device(plain, model), images()), model(images()).numpy(), 1e-6)


@pytest.mark.parametrize("precision", ["w8", "w2-asym", "w8a8-aqt", "w3a8-clip", "w4a8s-learned"])
def test_other_precisions(precision):
    plain = plain_model(kernel_size=3, padding="same")
    model = quantize_model(plain, QuantizationConfig(precision))
    assert_equal(run(on_device(plain, model), images()), model(images()).numpy(), 5e-6)


def test_another_integer_is_noticed():
    plain = plain_model(kernel_size=3)
    model = quantize_model(plain, QuantizationConfig("w8a8"))
    interpreter = on_device(plain, model)
    kernel = quantized_layers(model)["conv"].kernel
    values = kernel.numpy()
    values[1, 2, 3, 4] += np.abs(values[..., 4]).max() / 127
    kernel.assign(values)
    with pytest.raises(AssertionError):
        assert_equal(run(interpreter, images()), model(images()).numpy(), 1e-6)


def test_against_integers_in_numpy():
    """Every output by its definition, in 64-bit integers."""
    plain = plain_model(kernel_size=3)
    model = quantize_model(plain, QuantizationConfig("w8a8"))
    kernel, bias = plain.get_weights()
    integers, scale = reference_channels(kernel.reshape(-1, OUTPUTS), 8)
    x = images()
    q, zero_point, unit = reference_rows(x.reshape(len(x), -1))
    q = (q.astype(np.int64) - zero_point).reshape(x.shape)
    views = np.lib.stride_tricks.sliding_window_view(q, (3, 3), axis=(1, 2))
    patches = np.moveaxis(views, 3, -1).reshape(*views.shape[:3], -1)
    sums = patches @ integers.astype(np.int64)
    assert_equal(model(x).numpy(), sums * unit[..., None, None] * scale + bias, 1e-6)


@pytest.mark.parametrize(
    ("name", "mode"),
    [
        *((name, "native") for name in SHAPES),
        ("as in subsampling", "fake"),
        *(long_case(name, "fake") for name in SHAPES if name != "as in subsampling"),
    ],
)
def test_gradients_are_those_of_the_rounded_values(name, mode):
    plain = plain_model(**SHAPES[name])
    model = quantize_model(plain, QuantizationConfig("w8a8", mode=mode))
    found, stock = quantized_layers(model)["conv"], plain.get_layer("conv")
    rounded = found.quantizer.rounded(found.kernel, found.variables)
    x = tf.constant(rows("normal", IMAGE))
    q, zero, unit = reference_rows(x.numpy().reshape(IMAGE[0], -1))
    seen = tf.constant(((q - zero.astype(np.float32)) * unit).reshape(IMAGE).astype(np.float32))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([x, seen, rounded])
        y = model(x)
        upstream = rows("normal", y.shape, 7)
        loss = tf.reduce_sum(upstream * y)
        z = stock.convolution_op(seen, rounded)
        z = z if stock.bias is None else z + stock.bias
        expected = tf.reduce_sum(upstream * stock.activation(z))
    pairs = [(x, seen), (found.kernel, rounded)]
    for ours, theirs in pairs:
        got, wanted = tape.gradient(loss, ours).numpy(), tape.gradient(expected, theirs).numpy()
        np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-5 * np.abs(wanted).max())


def test_the_stock_layer_until_it_is_quantized():
    plain = plain_model(kernel_size=3, padding="same", activation="relu")
    layer = plain.get_layer("conv")
    stock = keras.layers.Conv2D(OUTPUTS, 3, padding="same", activation="relu")
    stock.build(IMAGE)
    stock.set_weights(layer.get_weights())
    np.testing.assert_array_equal(layer(images()), stock(images()))
    late = quantize_model(plain, QuantizationConfig("w8a8", start_step=1))
    np.testing.assert_allclose(late(images(), training=True), stock(images()), rtol=1e-6)
    now = quantize_model(plain, QuantizationConfig("w8a8"))
    np.testing.assert_array_equal(late(images()), now(images()))


def test_zeros_behind_an_utterance_change_nothing():
    """To the bit, on the frames that read none of them."""
    model = quantize_model(plain_model(kernel_size=3), QuantizationConfig("w8a8"))
    x = images()
    longer = np.concatenate([x, np.zeros_like(x)], axis=1)
    layer = model.get_layer("conv")
    y = model(x).numpy()
    np.testing.assert_array_equal(layer(tf.constant(longer)).numpy()[:, : y.shape[1]], y)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("w4a8", "w8a8"), ("w2a8-asym-clip", "w8a8-clip"), ("w4a8-b32", "w8a8"),
        ("w3a8s", "w8a8"), ("w4-learned", "w8-learned"), ("w32a8", "w32a8"), ("two_bit", "w8a8"),
    ],
)  # fmt: skip
def test_weights_have_eight_bits(wanted, found):
    plain = plain_model(kernel_size=3)
    config = QuantizationConfig(wanted)
    (layer,) = quantized_layers(quantize_model(plain, config)).values()
    assert layer.precision.name == found
    (row,) = summarize(plain, config)
    weights = 9 * 8 * OUTPUTS
    assert (row.parameters, row.bits) == (weights + OUTPUTS, layer.precision.weight_bits)
    if row.bits == 8:
        assert row.bytes == weights + 4 * OUTPUTS + 4 * OUTPUTS  # scales, bias


@pytest.fixture(scope="module")
def imported(tmp_path_factory) -> Recogniser:
    """A small Conformer that NeMo trained on AN4; its subsampling has a full convolution."""
    path = Path(__file__).parent / "data" / "nemo" / "conformer_ctc.nemo"
    folder = tmp_path_factory.mktemp("nemo") / "model"
    import_checkpoint(path, folder, quiet=True)
    return Recogniser.load(folder)


NAME = "subsampling_conv_1"


@pytest.mark.long
@pytest.mark.slow
def test_a_network_with_a_full_convolution(imported, an4_audio, tmp_path):
    """Trained for a step at 4 bits, written, every product equal, texts as of the Keras model."""
    trained = quantized(imported, QuantizationConfig("w4a8"), None)
    found = quantized_layers(trained.model)
    assert found[NAME].precision.name == "w8a8" and "subsampling_conv_0" not in found
    config = imported.config.front_end
    before = found[NAME].kernel.numpy()
    x = tf.constant(rows("normal", (2, 64, config.mel_bins)))
    with tf.GradientTape() as tape:
        logits = trained.model([x, tf.constant([64, 40])], training=True)
        loss = tf.reduce_mean(tf.square(logits))
    optimizer = keras.optimizers.Adam(1e-4)
    weights = trained.model.trainable_variables
    optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
    assert (found[NAME].kernel.numpy() != before).mean() > 0.5
    path = tmp_path / "w4a8.tflite"
    seconds = max(map(len, an4_audio)) / config.sample_rate
    path.write_bytes(convert_recogniser(trained, seconds=(seconds,)))
    device = TFLiteRecogniser(path)
    features = [device.features(audio) for audio in an4_audio[:1]]
    rows_found = {row.layer: row for row in product_errors(path, trained, features)}
    assert rows_found.keys() == found.keys()
    assert all(row.max_error < 1e-5 for row in rows_found.values()), rows_found
    assert device.metadata.layers[NAME] == "w8a8"
    contents = inspect(path)
    outputs, inputs = before.shape[-1], np.prod(before.shape[:-1])
    assert contents.bytes_by_layer[NAME] == outputs * inputs + 4 * outputs
    assert all(graph.rest.get("CONV_2D", 0) == 0 for graph in contents.delegated.values())
    decoder = trained.decoder()
    for audio, own in zip(an4_audio, map(device.features, an4_audio), strict=True):
        encoded = decoder.encode(own[None], np.array([len(own)], np.int32))
        tokens = decoder.recognise(encoded[0]).tokens
        assert device.transcribe(audio) == trained.tokenizer.decode(tokens)


@pytest.mark.slow
def test_the_convolution_alone_left_float(imported, tmp_path):
    path = tmp_path / "float_conv.tflite"
    config = QuantizationConfig("w4a8", overrides={NAME: "float"})
    path.write_bytes(convert_recogniser(post_training(imported, config), seconds=(2.0,)))
    assert NAME not in TFLiteRecogniser(path).metadata.layers
    kernel, bias = imported.model.get_layer(NAME).get_weights()
    assert inspect(path).bytes_by_layer[NAME] == kernel.nbytes + bias.nbytes  # four bytes each
