"""Named precisions, and whole models quantized through tfmot."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_model_optimization as tfmot
from tensorflow import keras
from tensorflow_model_optimization.python.core.quantization.keras import quantize_wrapper

from asr_qat.config import from_dict
from asr_qat.errors import UserError
from asr_qat.losses.ctc import CTCLoss
from asr_qat.losses.targets import PADDING, pack_targets
from asr_qat.models.ctc import build_ctc
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.transducer import build_transducer
from asr_qat.models.transducer_functions import TransducerFunctions
from asr_qat.quantize import apply
from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from asr_qat.quantize.dense import Dense
from asr_qat.quantize.precision import Precision, parse
from asr_qat.quantize.scheme import PrecisionScheme, quantize_scope
from tests.conftest import long_case
from tests.live_fixtures import live_model
from tests.quantize_fixtures import quantize_channels
from tests.transducer_fixtures import LSTM

TINY = EncoderConfig(1, dim=8, heads=2, feed_forward=12, kernel=3, subsampling=4, dropout=0.1)
BINS, VOCABULARY = 16, 5
WITH_CTC = dataclasses.replace(LSTM, ctc_weight=0.3)
DENSE = [
    "subsampling_pointwise", "subsampling_project",
    "block_00_ffn1_expand", "block_00_ffn1_project",
    "block_00_attention_query", "block_00_attention_key", "block_00_attention_value",
    "block_00_attention_position", "block_00_attention_output",
    "block_00_conv_expand", "block_00_conv_project",
    "block_00_ffn2_expand", "block_00_ffn2_project",
    "ctc_output",
]  # fmt: skip


@pytest.fixture(scope="module")
def float_model():
    keras.utils.set_random_seed(1)
    model = build_ctc(TINY, VOCABULARY, BINS)
    rng = np.random.default_rng(0)
    for weights in model.trainable_weights:
        weights.assign_add(0.05 * rng.standard_normal(weights.shape))
    return model


def utterances(seed=0):
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((3, 33, BINS)).astype(np.float32)
    return [tf.constant(features), tf.constant([33, 20, 9], tf.int32)]


def targets(lengths):
    return pack_targets(lengths, tf.constant([[0, 1, 2], [3, 3, PADDING], [4, PADDING, PADDING]]))


def quantized_layers(model):
    return {
        layer.layer.name: layer
        for layer in model.layers
        if isinstance(layer, quantize_wrapper.QuantizeWrapperV2)
    }


def decoded_transducer():
    """A transducer whose layers are those of other models too, on other shapes."""
    model = build_transducer(TINY, WITH_CTC, VOCABULARY, BINS)
    TransducerFunctions(model)
    return model


@pytest.mark.parametrize(
    ("build", "config"),
    [
        (None, QuantizationConfig("w4a8", overrides={"ctc_output": "float", "ffn1": "w8"})),
        long_case(None, QuantizationConfig("w4-learned")),
        (None, QuantizationConfig("w8a8s", activation_ranges="learned")),
        (decoded_transducer, QuantizationConfig("w4a8-clip", start_step=3)),
        long_case(lambda: live_model(bins=BINS), QuantizationConfig("mixed_4_8")),
    ],
    ids=["ctc", "learned", "static", "transducer", "live"],
)
def test_as_tfmot_quantizes(float_model, build, config):
    """`quantize_apply` with our scheme: the same layers, names, weights and outputs."""
    model = build() if build else float_model
    inputs = utterances()
    if build:
        inputs.append(tf.constant([[0, 1, 2], [3, 3, PADDING], [4, PADDING, PADDING]]))
    registry = config.registry()

    def annotate(layer):
        if not registry.supports(layer):
            return layer
        return tfmot.quantization.keras.quantize_annotate_layer(
            layer, registry.get_quantize_config(layer)
        )

    with quantize_scope():
        annotated = keras.models.clone_model(model, clone_function=annotate)
        annotated.set_weights(model.get_weights())
        expected = tfmot.quantization.keras.quantize_apply(
            annotated, scheme=PrecisionScheme(registry), quantized_layer_name_prefix=""
        )
    for layer in apply.quantized_layers(expected).values():
        layer.quantizer.initialize(layer.kernel, layer.variables)
    found = quantize_model(model, config)
    assert found.name == expected.name
    with quantize_scope():
        assert without_origin(found.get_config()) == without_origin(expected.get_config())
    assert len(found.weights) == len(expected.weights) > 0
    for ours, theirs in zip(found.weights, expected.weights, strict=True):
        assert ours.name == theirs.name and ours.trainable == theirs.trainable
        np.testing.assert_array_equal(ours, theirs)
    pairs = zip(tf.nest.flatten(found(inputs)), tf.nest.flatten(expected(inputs)), strict=True)
    for ours, theirs in pairs:
        np.testing.assert_array_equal(ours, theirs)


def without_origin(config):
    """A configuration without where the wrapper's class is from: ours is one of tfmot's."""
    for layer in config["layers"]:
        if layer["class_name"] == "QuantizeWrapperV2":
            del layer["module"], layer["registered_name"]
    return config


def kernel(layer):
    """The float weights of a wrapped or of a stock Dense layer."""
    (found,) = [w for w in layer.trainable_weights if w.shape.rank == 2]
    return found


@pytest.mark.parametrize("name", ["w4a8", "w8a8", "w2a8", "w4", "w8", "w2"])
def test_precision_names_are_read_back(name):
    precision = parse(name)
    assert precision.name == name
    assert precision == Precision(int(name[1]), 8 if "a" in name else None)


def test_float_is_no_precision():
    assert parse("float") is None


@pytest.mark.parametrize(
    "name", ["", "w", "w5", "w0a8", "w32", "w4a16", "a8", "w4a", "W4A8", " w4", "4"]
)
def test_other_names_are_refused(name):
    with pytest.raises(UserError) as caught:
        QuantizationConfig(precision=name)
    assert f"'{name}'" in str(caught.value)
    assert "w4a8" in str(caught.value)


def test_overrides_are_checked(float_model):
    with pytest.raises(UserError, match="'w5'"):
        QuantizationConfig(overrides={"block": "w5"})
    with pytest.raises(UserError, match="not a regular expression"):
        QuantizationConfig(overrides={"block_(": "w8"})
    with pytest.raises(UserError, match="'blok' matches no layer"):
        quantize_model(float_model, QuantizationConfig(overrides={"blok": "w8"}))


def test_configuration_from_yaml():
    config = from_dict(QuantizationConfig, {"overrides": {"ctc": "float"}, "mode": "fake"}, "x")
    assert config == QuantizationConfig(mode="fake", overrides={"ctc": "float"})
    with pytest.raises(UserError, match="mode: 'real' is not one of native, fake, ptq"):
        from_dict(QuantizationConfig, {"mode": "real"}, "x")


def test_every_product_of_encoder_and_head_is_quantized(float_model):
    assert {layer.name for layer in float_model.layers if isinstance(layer, Dense)} == set(DENSE)
    model = quantize_model(float_model, QuantizationConfig("w4a8"))
    assert set(quantized_layers(model)) == set(DENSE)
    # The names survive, and nothing is added to the graph.
    assert [layer.name for layer in model.layers] == [layer.name for layer in float_model.layers]


def test_weights_are_copied_and_the_float_model_stays(float_model):
    before = [w.numpy() for w in float_model.weights]
    model = quantize_model(float_model, QuantizationConfig("w4a8"))
    layers = quantized_layers(model)
    for name in DENSE:
        np.testing.assert_array_equal(kernel(layers[name]), float_model.get_layer(name).kernel)
    assert len(model.trainable_weights) == len(float_model.trainable_weights)
    ours = sorted(w.numpy().tobytes() for w in model.trainable_weights)
    assert ours == sorted(w.numpy().tobytes() for w in float_model.trainable_weights)
    inputs = utterances()
    model.compile(keras.optimizers.SGD(1.0), CTCLoss(), run_eagerly=True)
    model.train_on_batch(inputs, targets(inputs[1]))
    for was, now in zip(before, float_model.weights, strict=True):
        np.testing.assert_array_equal(was, now)


@pytest.mark.parametrize(("precision", "within"), [("w8a8", 0.05), ("w8", 0.05), ("w4a8", 0.8)])
def test_outputs_are_near_those_of_the_float_model(float_model, precision, within):
    inputs = utterances()
    expected = float_model(inputs).numpy()
    native = quantize_model(float_model, QuantizationConfig(precision))(inputs).numpy()
    fake = quantize_model(float_model, QuantizationConfig(precision, "fake"))(inputs).numpy()
    difference = np.sqrt(np.mean((native - expected) ** 2)) / expected.std()
    assert 1e-4 < difference < within
    np.testing.assert_allclose(native, fake, atol=0.02 * expected.std())


def test_overrides_by_pattern(float_model):
    config = QuantizationConfig(
        "w4a8", overrides={"ctc_output": "float", "ffn[12]_expand": "w8a8", "^block_00_ffn": "w4"}
    )
    model = quantize_model(float_model, config)
    layers = quantized_layers(model)
    assert set(layers) == set(DENSE) - {"ctc_output"}
    assert type(model.get_layer("ctc_output")) is Dense

    def precision(name):
        quantizer = layers[name].quantize_config.quantizer
        return quantizer.precision.name

    assert precision("block_00_ffn1_expand") == "w8a8"  # the first match wins
    assert precision("block_00_ffn1_project") == "w4"
    assert precision("block_00_conv_expand") == "w4a8"


def test_all_float_is_the_float_model(float_model):
    model = quantize_model(float_model, QuantizationConfig("w4a8", overrides={".": "float"}))
    assert not quantized_layers(model)
    inputs = utterances()
    np.testing.assert_array_equal(model(inputs), float_model(inputs))


def test_outputs_depend_on_the_grid_values_alone(float_model):
    """Weights moved to their grid give the same outputs: what is exported is what was trained."""
    model = quantize_model(float_model, QuantizationConfig("w4a8"))
    inputs = utterances()
    expected = model(inputs).numpy()
    for layer in quantized_layers(model).values():
        weights = kernel(layer)
        integers, scale = quantize_channels(weights, 4)
        assert len(np.unique(integers)) <= 15
        weights.assign(integers * scale)
    np.testing.assert_allclose(model(inputs), expected, atol=1e-3 * expected.std())


def test_float_until_the_start_step(float_model, tmp_path):
    model = quantize_model(float_model, QuantizationConfig("w4a8", start_step=2))
    reference = quantize_model(float_model, QuantizationConfig("w4a8"))
    inputs = utterances()
    model.compile(keras.optimizers.SGD(0.0), CTCLoss(), run_eagerly=True)  # moves nothing
    expected = float_model(inputs).numpy()
    for _ in range(2):
        np.testing.assert_allclose(model(inputs, training=False), expected, atol=1e-5)
        model.train_on_batch(inputs, targets(inputs[1]))
    np.testing.assert_array_equal(model(inputs, training=False), reference(inputs))
    counters = [w for w in model.weights if w.dtype == tf.int64 and "step" in w.name]
    assert len(counters) == len(DENSE)
    assert {int(w.numpy()) for w in counters} == {2}

    model.save_weights(tmp_path / "a.weights.h5")
    loaded = quantize_model(float_model, QuantizationConfig("w4a8", start_step=2))
    np.testing.assert_allclose(loaded(inputs, training=False), expected, atol=1e-5)
    loaded.load_weights(tmp_path / "a.weights.h5")
    np.testing.assert_array_equal(loaded(inputs, training=False), reference(inputs))


@pytest.mark.parametrize("way", ["h5", "checkpoint"])
def test_weights_are_saved_and_loaded(float_model, way, tmp_path):
    config = QuantizationConfig("w4a8", overrides={"ctc": "w8a8"})
    model = quantize_model(float_model, config)
    other = quantize_model(build_ctc(TINY, VOCABULARY, BINS), config)
    inputs = utterances()
    expected = model(inputs).numpy()
    assert np.abs(other(inputs) - expected).max() > 1e-3
    if way == "h5":
        model.save_weights(tmp_path / "a.weights.h5")
        other.load_weights(tmp_path / "a.weights.h5")
    else:
        path = tf.train.Checkpoint(model=model).save(str(tmp_path / "ckpt"))
        tf.train.Checkpoint(model=other).restore(path).assert_consumed()
    np.testing.assert_array_equal(other(inputs), expected)


@pytest.mark.parametrize(
    ("precision", "mode"),
    [
        ("w4a8", "native"),
        *(long_case(*case) for case in [("w2a8", "native"), ("w2a8", "fake"), ("w4a8", "fake")]),
        *(long_case("w4", mode) for mode in ("native", "fake")),
    ],
)
def test_fit_reduces_the_loss(float_model, precision, mode):
    model = quantize_model(float_model, QuantizationConfig(precision, mode))
    inputs = utterances()
    data = tf.data.Dataset.from_tensors((tuple(inputs), targets(inputs[1]))).repeat(25)
    before = {name: kernel(layer).numpy() for name, layer in quantized_layers(model).items()}
    model.compile(keras.optimizers.Adam(0.01), CTCLoss())
    start = model.evaluate(data.take(1), verbose=0)
    model.fit(data, verbose=0)
    assert model.evaluate(data.take(1), verbose=0) < 0.7 * start
    for name, layer in quantized_layers(model).items():
        assert np.abs(kernel(layer) - before[name]).max() > 0, name


@pytest.mark.long
def test_native_and_fake_train_alike(float_model):
    """One step from the same weights: the same gradients but for float rounding."""
    inputs = utterances()
    moved = []
    for mode in ("native", "fake"):
        model = quantize_model(float_model, QuantizationConfig("w4a8", mode))
        with tf.GradientTape() as tape:
            loss = CTCLoss()(targets(inputs[1]), model(inputs))
        moved.append([g.numpy() for g in tape.gradient(loss, model.trainable_weights)])
    reach = max(np.abs(g).max() for g in moved[0])
    for native, fake in zip(*moved, strict=True):
        np.testing.assert_allclose(native, fake, atol=0.02 * reach)
