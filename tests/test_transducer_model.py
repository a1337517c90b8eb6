"""The transducer: padding changes nothing, and recognition's functions are those of training."""

import dataclasses
import json

import numpy as np
import pytest
import tensorflow as tf

from asr_qat.audio.front_end import subsampled_length
from asr_qat.errors import UserError
from asr_qat.folder_sums import SUMS
from asr_qat.models.ctc import CTC
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.prediction import TransducerConfig, states
from asr_qat.models.presets import PRESETS, TRANSDUCERS
from asr_qat.models.transducer import build_transducer
from asr_qat.models.transducer_functions import TransducerFunctions
from asr_qat.quantize.apply import QuantizationConfig, quantize_model, quantized_layers
from asr_qat.quantize.dense import Dense
from asr_qat.text.tokenizer import Tokenizer
from tests.test_conformer import PAPER_MILLIONS, PAPER_VOCABULARY, counted

ENCODER = EncoderConfig(1, dim=16, heads=2, feed_forward=24, kernel=5, subsampling=8)
LSTM = TransducerConfig(embedding=6, units=8, joint=10, ctc_weight=0.5)
NGRAM = dataclasses.replace(LSTM, prediction="ngram", context=3, frames_at_once=2)
TDT = dataclasses.replace(LSTM, layers=2, activation="relu", durations=(0, 1, 3))
BINS, VOCABULARY = 20, 9
LENGTHS = np.array([41, 13, 26], np.int32)
LABELS = np.array([[1, 8, 0, 3], [4, -1, -1, -1], [2, 2, 5, -1]], np.int32)
PRODUCTS = {
    "prediction_embedding", "joint_prediction", "joint_encoder", "joint_output", "ctc_output"
}  # fmt: skip


def with_weights(config):
    model = build_transducer(ENCODER, config, VOCABULARY, BINS)
    rng = np.random.default_rng(0)
    for weights in model.trainable_weights:  # away from their initial zeros and ones
        weights.assign_add(0.1 * rng.standard_normal(weights.shape))
    return model


@pytest.fixture(scope="module", params=[LSTM, NGRAM, TDT], ids=["lstm", "ngram", "tdt"])
def model(request):
    return with_weights(request.param)


def durations_of(model):
    return TransducerFunctions(model).durations


@pytest.fixture(scope="module")
def native(model):
    """At w4a8, but for the CTC head."""
    config = QuantizationConfig("w4a8", overrides={"^ctc_output$": "w8a8"})
    return quantize_model(model, config)


def features(seed=0):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((len(LENGTHS), 41, BINS)).astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("name", PAPER_MILLIONS)
def test_presets_have_the_published_sizes(name):
    """The blocks are counted on paper but for one."""
    encoder = PRESETS[name]
    one = dataclasses.replace(encoder, blocks=1)
    built = build_transducer(one, TRANSDUCERS[name], PAPER_VOCABULARY).count_params()
    total = built + counted(encoder) - counted(one)
    assert total / 1e6 == pytest.approx(PAPER_MILLIONS[name], rel=0.01)


def test_shapes(model):
    transitions, logits = model([features(), LENGTHS, LABELS])
    each = 2 + len(durations_of(model))
    assert transitions.shape == (3, 11, 5, each)
    assert logits.shape == (3, 11, VOCABULARY + 1)
    # Without labels there are blanks alone.
    transitions, _ = model([features(), LENGTHS, LABELS[:, :0]])
    assert transitions.shape == (3, 11, 1, each)


def test_without_the_auxiliary_head():
    config = dataclasses.replace(LSTM, ctc_weight=0.0)
    built = build_transducer(ENCODER, config, VOCABULARY, BINS)
    assert built([features(), LENGTHS, LABELS]).shape == (3, 11, 5, 2)
    assert "ctc_output" not in [layer.name for layer in built.layers]


@pytest.fixture(scope="module")
def transitions_of(model):
    """The model's first output, of one graph for all shapes: faster than layer by layer."""
    features = tf.TensorSpec([None, None, BINS])
    lengths, labels = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, None], tf.int32)
    graph = tf.function(
        lambda *inputs: model(list(inputs), training=False)[0],
        input_signature=(features, lengths, labels),
        autograph=False,
    )
    return lambda *inputs: graph(*inputs).numpy()


@pytest.mark.parametrize("length", [1, 4, 13, 26])
@pytest.mark.parametrize("count", [0, 1, 3])
def test_alone_and_in_a_batch(model, transitions_of, length, count):
    """Longer neighbours, garbage where the padding of features and labels is."""
    rng = np.random.default_rng(length)
    one = rng.standard_normal((1, length, BINS)).astype(np.float32)
    labels = rng.integers(0, VOCABULARY, (1, count)).astype(np.int32)
    alone = transitions_of(one, np.array([length], np.int32), labels)
    frames = subsampled_length(length)
    assert alone.shape == (1, frames, 1 + count, 2 + len(durations_of(model)))
    assert np.isfinite(alone).all()
    assert (alone <= 0).all()
    padded = 100 * rng.standard_normal((3, 41, BINS)).astype(np.float32)
    padded[1, :length] = one
    others = np.full((3, 6), -1, np.int32)
    others[[0, 2]] = rng.integers(0, VOCABULARY, (2, 6))
    others[1, :count] = labels
    batch = transitions_of(padded, np.array([41, length, 17], np.int32), others)
    ours = batch[1, :frames, : 1 + count]
    np.testing.assert_allclose(ours[..., 0], alone[0, ..., 0], atol=1e-5)
    np.testing.assert_allclose(ours[..., 2:], alone[0, ..., 2:], atol=1e-5)
    # The next label of the last node means nothing.
    np.testing.assert_allclose(ours[:, :count, 1], alone[0, :, :count, 1], atol=1e-5)


def test_all_labels_before_matter_to_the_lstm_and_the_last_ones_to_the_ngram(model):
    changed = LABELS.copy()
    changed[0, 0] = 7
    inputs = [features(), LENGTHS]
    difference = model([*inputs, LABELS])[0] - model([*inputs, changed])[0]
    nodes = np.abs(difference[0, :, :, 0]).max(axis=0)  # the blank's, after 0 to 4 labels
    ngram = "prediction_ngram" in [layer.name for layer in model.layers]
    seen = [False, True, True, True, not ngram]
    np.testing.assert_array_equal(nodes > 1e-6, seen)
    np.testing.assert_array_equal(nodes == 0, np.logical_not(seen))


def test_dropout_only_in_training(model):
    inputs = [features(), LENGTHS, LABELS]
    for one, other in zip(model(inputs), model(inputs, training=False), strict=True):
        np.testing.assert_array_equal(one, other)
    names = {layer.name for layer in model.layers}
    assert {"prediction_embedding_dropout", "prediction_dropout"} <= names
    assert np.abs(model(inputs, training=True)[0] - model(inputs)[0]).max() > 1e-3


def log_softmax(logits):
    logits = logits.astype(np.float64)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


@pytest.mark.parametrize(
    "quantized", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["float", "w4a8"]
)
def test_functions_of_recognition_give_the_transitions_of_training(request, model, quantized):
    """Label by label and pair by pair, each `[1, ...]`."""
    trained = request.getfixturevalue("native") if quantized else model
    functions = TransducerFunctions(trained)
    assert functions.blank == VOCABULARY
    assert functions.joint == LSTM.joint
    transitions = trained([features(), LENGTHS, LABELS])[0].numpy()
    encoded = functions.encode([features(), LENGTHS])
    assert encoded.shape == (3, 11, LSTM.joint)
    for row, (length, labels) in enumerate(zip(LENGTHS, LABELS, strict=True)):
        labels = labels[labels >= 0]
        state = [np.zeros((1, units), np.float32) for _, units in functions.states]
        for count, label in enumerate([functions.blank, *labels]):
            predicted, *state = functions.predict([np.array([[label]], np.int32), *state])
            assert predicted.shape == (1, 1, LSTM.joint)
            assert [part.shape[1] for part in state] == [units for _, units in functions.states]
            for frame in range(subsampled_length(length)):
                logits = functions.join([encoded[row : row + 1, frame : frame + 1], predicted])
                tokens, durations = VOCABULARY + 1, len(functions.durations)
                assert logits.shape == (1, 1, 1, tokens + durations)
                log_probs = log_softmax(logits.numpy()[0, 0, 0, :tokens])
                blank, following, *lasting = transitions[row, frame, count]
                assert blank == pytest.approx(log_probs[-1], abs=1e-4)
                if durations:
                    expected = log_softmax(logits.numpy()[0, 0, 0, tokens:])
                    np.testing.assert_allclose(lasting, expected, atol=1e-4)
                if count < len(labels):
                    assert following == pytest.approx(log_probs[labels[count]], abs=1e-4)


def test_functions_share_the_weights(model):
    functions = TransducerFunctions(model)
    names = {
        weight.name
        for part in (functions.encode, functions.predict, functions.join)
        for weight in part.weights
    }
    used = {weight.name for weight in model.weights if not weight.name.startswith("ctc_output")}
    assert names == used


def test_states_have_names(model):
    layers = {layer.name: layer for layer in model.layers}
    if "prediction_lstm" in layers:
        expected = [("prediction_lstm_output", 8), ("prediction_lstm_cell", 8)]
        if "prediction_lstm_2" in layers:
            expected += [("prediction_lstm_2_output", 8), ("prediction_lstm_2_cell", 8)]
    else:
        expected = [("prediction_last_labels_embeddings", 2 * 6)]
    assert states(layers) == expected
    with pytest.raises(ValueError, match="no prediction network"):
        states({})


@pytest.mark.slow
def test_every_product_is_quantized(model, native):
    found = quantized_layers(native)
    dense = {layer.name for layer in model.layers if isinstance(layer, Dense)}
    assert set(found) == dense
    lstm = {"prediction_lstm_input", "prediction_lstm"}
    if "prediction_lstm_2" in dense:
        lstm |= {"prediction_lstm_2_input", "prediction_lstm_2"}
    own = lstm if "prediction_lstm" in dense else {"prediction_ngram"}
    assert PRODUCTS | own <= dense
    assert dense - PRODUCTS - own == {n for n in dense if n.startswith(("block_", "subsampling_"))}
    assert {name: layer.precision.weight_bits for name, layer in found.items()} == {
        name: 8 if name == "ctc_output" else 4 for name in dense
    }
    if own == lstm:
        assert found["prediction_lstm"].kernel.shape == (8, 4 * 8)
        assert found["prediction_lstm"].bias is None
    assert found["prediction_embedding"].kernel.shape == (VOCABULARY, 6)
    # Every matrix of the model is a product's, but for the convolutions.
    matrices = {w.name.split("/")[0] for w in model.trainable_weights if w.shape.rank == 2}
    assert matrices <= dense


@pytest.mark.slow
def test_fake_quantization_is_native(model, native):
    inputs = [features(), LENGTHS, LABELS]
    fake = quantize_model(model, QuantizationConfig("w4a8", "fake"))
    assert np.abs(native(inputs)[0] - model(inputs)[0]).max() > 1e-4
    # A difference in the last bit moves an activation on a rounding edge.
    assert np.median(np.abs(native(inputs)[0] - fake(inputs)[0])) < 1e-5


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"embedding": 0}, "embedding: 0 is not even and above 0"),
        ({"units": 7}, "units: 7 is not even and above 0"),
        ({"joint": -2}, "joint: -2 is not even and above 0"),
        ({"context": 1}, "context: 1 is less than 2"),
        ({"dropout": 1.0}, "dropout: 1.0 is not from 0 to below 1"),
        ({"dropout": -0.1}, "dropout: -0.1 is not from 0 to below 1"),
        ({"ctc_weight": -1.0}, "ctc_weight: -1.0 is not a number from 0 up"),
        ({"ctc_weight": float("nan")}, "ctc_weight: nan is not a number from 0 up"),
        ({"ctc_weight": float("inf")}, "ctc_weight: inf is not a number from 0 up"),
        ({"frames_at_once": 0}, "frames_at_once: 0 is less than 1"),
        ({"layers": 0}, "layers: 0 is less than 1"),
        ({"layers": 2, "prediction": "ngram"}, "layers: 2: an ngram has one layer"),
        ({"durations": (0,)}, "durations: [0] are not whole numbers ascending from 0, 1"),
        ({"durations": (0, 2)}, "durations: [0, 2] are not"),
        ({"durations": (0, 1, 4, 3)}, "durations: [0, 1, 4, 3] are not"),
        ({"sigma": -0.1}, "sigma: -0.1 is not a number from 0 up"),
        ({"omega": 1.1}, "omega: 1.1 is not from 0 to 1"),
    ],
)
def test_shapes_that_cannot_be_built(changes, complaint):
    with pytest.raises(UserError) as caught:
        dataclasses.replace(LSTM, **changes)
    assert str(caught.value).startswith(complaint)


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(["ABC DEF"], 20, "char")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("config", "quantization"), [(NGRAM, None), (LSTM, QuantizationConfig("w4a8", start_step=2))]
)
def test_a_directory_holds_a_transducer(config, quantization, tokenizer, tmp_path):
    shape = ModelConfig(ENCODER, quantization=quantization, transducer=config)
    saved = Recogniser.create(shape, tokenizer, np.zeros(80), np.ones(80))
    for weights in saved.model.trainable_weights:
        weights.assign_add(0.1 * np.random.default_rng(0).standard_normal(weights.shape))
    saved.save(tmp_path / "model")
    loaded = Recogniser.load(tmp_path / "model")
    assert loaded.config == shape
    for ours, theirs in zip(loaded.model.get_weights(), saved.model.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    inputs = [np.ones((1, 20, 80), np.float32), np.array([20], np.int32), LABELS[:1] % 5]
    for ours, theirs in zip(loaded.model(inputs), saved.model(inputs), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_directory_of_an_earlier_version(tokenizer, tmp_path):
    """Its configuration says nothing of transducers: a CTC model."""
    saved = Recogniser.create(ModelConfig(ENCODER), tokenizer, np.zeros(80), np.ones(80))
    saved.save(tmp_path / "model")
    (tmp_path / "model" / SUMS).unlink()
    path = tmp_path / "model/config.json"
    content = json.loads(path.read_text())
    assert content.pop("transducer", "missing") is None
    path.write_text(json.dumps(content))
    loaded = Recogniser.load(tmp_path / "model")
    assert loaded.config == saved.config
    assert isinstance(loaded.config.kind, CTC)

    content["transducer"] = {**dataclasses.asdict(LSTM), "units": 7}
    path.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"config.json: transducer: units: 7 is not even"):
        Recogniser.load(tmp_path / "model")
