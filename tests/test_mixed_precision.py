"""Training in 16-bit floats: what stays exact, what is close, and the loss scale."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tensorflow import keras

from asr_qat.losses.ctc import CTCLoss
from asr_qat.losses.targets import pack_targets
from asr_qat.models.ctc import build_ctc
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser, build_float
from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from asr_qat.quantize.dense import Dense
from asr_qat.training import mixed_precision
from asr_qat.training.config import OptimizerConfig
from asr_qat.training.mixed_precision import STEPS_TO_GROW, LossScale, training_copy
from asr_qat.training.run import train
from asr_qat.training.training_step import TrainedModel
from tests.conftest import long_case
from tests.training_fixtures import W4, configuration, history
from tests.transducer_fixtures import LSTM, NGRAM

pytest_plugins = ["tests.training_fixtures"]

ENCODER = EncoderConfig(1, dim=16, heads=2, feed_forward=16, kernel=5, subsampling=8, dropout=0.0)
LOW = pytest.mark.parametrize("compute", ["bfloat16", "float16"])
WITH_CTC = dataclasses.replace(LSTM, ctc_weight=0.3)
IN_SLICES = dataclasses.replace(LSTM, frames_at_once=4)


@pytest.fixture
def model():
    keras.utils.set_random_seed(0)
    return build_ctc(ENCODER, 6)


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(0)
    features = tf.constant(rng.standard_normal((3, 40, 80)), tf.float32)
    lengths = tf.constant([40, 33, 27])
    return (features, lengths), pack_targets(
        lengths, tf.constant(rng.integers(0, 6, (3, 3)), tf.int32)
    )


@LOW
@pytest.mark.parametrize("precision", ["w4a8", "w4", "w8a8"])
def test_the_integer_product_is_that_of_float32(compute, precision):
    """Bit by bit, output and gradient: the sums are beyond the integers of a 16-bit float."""
    inputs = keras.Input((512,))
    model = keras.Model(inputs, Dense(8, name="output")(Dense(64, name="product")(inputs)))
    exact = quantize_model(model, QuantizationConfig(precision))
    low = training_copy(exact, compute)
    x = tf.constant(np.random.default_rng(1).standard_normal((5, 512)), tf.float32)
    found = []
    for each in (exact, low):
        layer = each.get_layer("product")
        with tf.GradientTape() as tape:
            y = layer(x)
        gradient = tape.gradient(y, layer.trainable_weights)
        assert y.dtype == tf.float32
        found.append([y.numpy(), *(g.numpy() for g in gradient)])
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    assert np.abs(found[0][0]).max() > 0


@LOW
@pytest.mark.parametrize("quantized", [False, True], ids=["float", "w4a8"])
def test_layers_compute_in_the_precision_that_is_theirs(model, batch, compute, quantized):
    if quantized:
        model = quantize_model(model, W4)
    low = training_copy(model, compute)
    dtypes = {layer.name: layer.compute_dtype for layer in low.layers}
    for name in ("block_00_attention", "block_00_conv_depthwise", "block_00_ffn1_add"):
        assert dtypes[name] == compute
    for name in ("block_00_norm", "block_00_ffn1_norm", "ctc_output"):
        assert dtypes[name] == "float32"
    for name in ("block_00_ffn1_expand", "block_00_attention_query"):
        assert dtypes[name] == ("float32" if quantized else compute)
    assert {w.dtype for w in low.trainable_weights} == {tf.float32}
    for one, other in zip(low.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    near, exact = low(batch[0]), model(batch[0])
    assert near.dtype == tf.float32
    assert not np.array_equal(near, exact)
    np.testing.assert_allclose(near, exact, atol=0.15)


@pytest.mark.parametrize(
    ("shape", "quantized"),
    [(WITH_CTC, False), (WITH_CTC, True), (NGRAM, False)],
    ids=["lstm", "lstm-w4a8", "ngram"],
)
def test_layers_of_a_transducer_compute_in_the_precision_that_is_theirs(shape, quantized):
    model = build_float(ModelConfig(ENCODER, transducer=shape), 6)
    low = training_copy(quantize_model(model, W4) if quantized else model, "bfloat16")
    dtypes = {layer.name: layer.compute_dtype for layer in low.layers}
    exact = {"prediction_embedding", "joint_output"}
    exact |= {"prediction_lstm", "ctc_output"} if shape is WITH_CTC else {"prediction_last_labels"}
    products = {"joint_encoder", "joint_prediction"}
    products |= {"prediction_lstm_input"} if shape is WITH_CTC else {"prediction_ngram"}
    assert {dtypes[name] for name in exact} == {"float32"}
    assert {dtypes[name] for name in products} == {"float32" if quantized else "bfloat16"}
    assert dtypes["prediction_dropout"] == "bfloat16"
    assert {w.dtype for w in low.trainable_weights} == {tf.float32}
    assert {output.dtype for output in low.outputs} == {tf.float32}


@LOW
def test_gradients_are_near_those_of_float32(model, batch, compute):
    def moved(trained_model):
        step = TrainedModel(
            trained_model, [(CTCLoss(), 1.0)], OptimizerConfig(), scale_loss=compute == "float16"
        )
        step.compile(keras.optimizers.SGD(0.01))
        update = tf.function(step.train_step)
        before = trained_model.get_weights()
        for _ in range(16):  # overflows, which leave the weights as they are, lower the scale
            update(batch)
            pairs = zip(trained_model.get_weights(), before, strict=True)
            found = np.concatenate([(after - weight).ravel() for after, weight in pairs])
            if found.any():
                break
        return found

    low = training_copy(model, compute)
    near, exact = moved(low), moved(model)
    assert np.linalg.norm(near - exact) < 0.05 * np.linalg.norm(exact)


def test_an_overflow_halves_the_scale_and_gives_no_gradient():
    scale = LossScale()
    first = float(scale.factor)
    (gradient,) = scale.unscaled([tf.constant([2.0, -4.0]) * first])
    np.testing.assert_array_equal(gradient, [2.0, -4.0])
    for bad in (np.inf, np.nan):
        gradients = scale.unscaled([tf.constant([1.0]), tf.constant([2.0, bad])])
        assert [g.numpy().tolist() for g in gradients] == [[0.0], [0.0, 0.0]]
    assert float(scale.factor) == first / 4
    scale.steps.assign(STEPS_TO_GROW - 1)
    scale.unscaled([tf.constant([1.0])])
    assert float(scale.factor) == first / 2
    assert int(scale.steps) == 0


@pytest.mark.slow
@pytest.mark.parametrize("compute", [long_case("bfloat16"), "float16"])
@pytest.mark.usefixtures("without_wer")
def test_the_saved_model_knows_nothing_of_it(float_run, tmp_path, compute, monkeypatch):
    # So small that no step overflows: such a step would leave the weights as they are.
    monkeypatch.setattr(mixed_precision, "FIRST_SCALE", 1.0)
    plain, exact = float_run
    low = dataclasses.replace(plain, output=str(tmp_path / compute), compute=compute)
    near = train(low, quiet=True)
    assert near.config == exact.config
    assert {layer.compute_dtype for layer in near.model.layers} <= {"float32", "int32"}
    assert Recogniser.load(low.output).model.get_weights()[0].dtype == np.float32
    for one, other in zip(history(low.output), history(plain.output), strict=True):
        assert one["loss"] != other["loss"]
        assert one["loss"] == pytest.approx(other["loss"], rel=0.05)


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize(
    ("shape", "quantization"),
    [(WITH_CTC, None), (IN_SLICES, W4), (NGRAM, None), (NGRAM, W4)],
    ids=["lstm", "lstm-w4a8", "ngram", "ngram-w4a8"],
)
@pytest.mark.usefixtures("without_wer")
def test_a_transducer_in_bfloat16(prepared_folder, tmp_path, shape, quantization):
    """Its losses are near those of float32, and what is saved computes in float32."""
    plain = configuration(
        prepared_folder,
        tmp_path / "float32",
        steps=4,
        evaluate_every=2,
        keep="last",
        model="transducer",
        transducer=shape,
        quantization=quantization,
    )
    low = dataclasses.replace(plain, output=str(tmp_path / "low"), compute="bfloat16")
    exact, near = train(plain, quiet=True), train(low, quiet=True)
    for one, other in zip(history(low.output), history(plain.output), strict=True):
        assert one["step"] == other["step"]
        assert one["loss"] != other["loss"]
        assert one["loss"] == pytest.approx(other["loss"], rel=0.01)
    loaded = Recogniser.load(low.output)
    assert loaded.config == near.config == exact.config
    assert {layer.compute_dtype for layer in loaded.model.layers} <= {"float32", "int32"}
    assert {weight.dtype for weight in loaded.model.trainable_weights} == {tf.float32}
