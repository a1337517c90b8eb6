"""The Conformer: padding changes nothing, and the presets have the published sizes."""

import dataclasses

import numpy as np
import pytest
from tensorflow import keras

from asr_qat.audio.front_end import subsampled_length
from asr_qat.errors import UserError
from asr_qat.models.conformer import EncoderConfig, encode, encoder_inputs, halvings_of
from asr_qat.models.ctc import build_ctc
from asr_qat.models.keras_decoder import CTCDecoder
from asr_qat.models.presets import PRESETS

SMALL = EncoderConfig(2, dim=16, heads=2, feed_forward=24, kernel=5, subsampling=8)
EVEN_KERNEL = dataclasses.replace(SMALL, kernel=4)
LOCAL = dataclasses.replace(SMALL, attention_context=1)
EIGHTH = dataclasses.replace(SMALL, subsampling_factor=8, attention_context=(2, 1))
NEMO = dataclasses.replace(
    SMALL, subsampling_kind="striding", subsampling_factor=8, conv_norm="none", norm_epsilon=1e-5
)
BINS = 20
PAPER_MILLIONS = {"S": 10.3, "M": 30.7, "L": 118.8}  # Gulati et al. (2020), table 1
PAPER_DECODER = {"S": 320, "M": 640, "L": 640}  # width of the LSTM
PAPER_VOCABULARY = 1024


CONFIGS = {"odd": SMALL, "even": EVEN_KERNEL, "local": LOCAL, "eighth": EIGHTH, "nemo": NEMO}


@pytest.fixture(scope="module", params=CONFIGS.values(), ids=CONFIGS)
def model(request):
    return with_weights(request.param)


def with_weights(config):
    built = build_ctc(config, 10, BINS)
    numbers = np.random.default_rng(0)
    for weights in built.trainable_weights:  # away from their initial zeros and ones
        weights.assign_add(0.1 * numbers.standard_normal(weights.shape))
    return built


@pytest.fixture(scope="module")
def logits_of(model):
    """The model as one graph for all shapes: calls layer by layer take seconds in all."""
    return CTCDecoder(model).encode


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 7, 8, 13, 31, 32, 33])
def test_alone_and_in_a_batch(model, logits_of, length):
    rng = np.random.default_rng(length)
    features = rng.standard_normal((1, length, BINS)).astype(np.float32)
    alone = logits_of(features, np.array([length], np.int32))
    frames = subsampled_length(length, halvings_of(model))
    assert alone.shape == (1, frames, 11)
    # Longer neighbours, and garbage where the padding is.
    padded = 100 * rng.standard_normal((3, 41, BINS)).astype(np.float32)
    padded[1, :length] = features
    batch = logits_of(padded, np.array([41, length, 17], np.int32))
    np.testing.assert_allclose(batch[1, :frames], alone[0], atol=1e-5, rtol=1e-5)
    # Whatever the others are.
    padded[0] = 3.0
    again = logits_of(padded, np.array([29, length, 41], np.int32))
    np.testing.assert_allclose(again[1, :frames], alone[0], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("config", [SMALL, EVEN_KERNEL, NEMO])
def test_frames_matter(config):
    """The whole utterance is seen: the first output depends on the last frame."""
    model = with_weights(config)
    features = np.random.default_rng(0).standard_normal((1, 24, BINS)).astype(np.float32)
    lengths = np.array([24], np.int32)
    before = model([features, lengths]).numpy()
    features[0, -1] += 1.0
    after = model([features, lengths]).numpy()
    assert np.abs(before - after)[0, 0].max() > 1e-5
    # And so does the order of the frames.
    swapped = model([features[:, ::-1], lengths]).numpy()
    assert np.abs(swapped[:, ::-1] - after).max() > 1e-3


def test_attention_context_limits_what_is_seen():
    """A frame of output sees, block by block, its context and half the kernel on either side."""
    model = with_weights(LOCAL)
    reach = LOCAL.blocks * (LOCAL.attention_context + LOCAL.kernel // 2)
    features = np.random.default_rng(0).standard_normal((1, 120, BINS)).astype(np.float32)
    lengths = np.array([120], np.int32)
    before = model([features, lengths]).numpy()
    features[0, -1] += 1.0  # the last of 30 frames of output, by way of the subsampling
    changed = np.abs(model([features, lengths]).numpy() - before)[0].max(axis=1)
    np.testing.assert_array_equal(changed[: 29 - reach], 0)
    assert (changed[29 - reach :] > 0).all()


def test_attention_context_of_two_numbers():
    """One frame past and none to come, beside what the convolution and the subsampling hear."""
    config = dataclasses.replace(SMALL, blocks=1, attention_context=(3, 0), kernel=1)
    model = with_weights(config)
    features = np.random.default_rng(0).standard_normal((1, 120, BINS)).astype(np.float32)
    lengths = np.array([120], np.int32)
    before = model([features, lengths]).numpy()
    features[0, 60] += 1.0  # which encoded frame 15 alone hears
    changed = np.abs(model([features, lengths]).numpy() - before)[0].max(axis=1) > 0
    np.testing.assert_array_equal(np.flatnonzero(changed), np.arange(15, 19))


def test_layers_of_further_subsampling():
    def names(config):
        found = [layer.name for layer in build_ctc(config, 10, BINS).layers]
        return [name for name in found if name.startswith("subsampling_") and "mask" not in name]

    pads = [f"subsampling_pad_{stage}" for stage in range(3)]
    image, *_, flatten, project, dropout = names(EIGHTH)
    assert names(EIGHTH) == [
        image,
        *(pads[0], "subsampling_conv"),
        *(pads[1], "subsampling_depthwise", "subsampling_pointwise"),
        *(pads[2], "subsampling_depthwise_2", "subsampling_pointwise_2"),
        *(flatten, project, dropout),
    ]
    assert names(NEMO)[1:7] == [
        *(pads[0], "subsampling_conv"),
        *(pads[1], "subsampling_conv_1"),
        *(pads[2], "subsampling_conv_2"),
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"attention_context": (3, -1)}, "attention_context: [3, -1]"),
        ({"norm_epsilon": 0.0}, "norm_epsilon: 0.0"),
    ],
)
def test_shapes_that_cannot_be_built(values, message):
    with pytest.raises(UserError) as raised:
        dataclasses.replace(SMALL, **values)
    assert message in str(raised.value)


def test_dropout_only_in_training(model):
    features = np.random.default_rng(0).standard_normal((1, 24, BINS)).astype(np.float32)
    inputs = [features, np.array([24], np.int32)]
    np.testing.assert_array_equal(model(inputs), model(inputs, training=False))
    assert np.abs(model(inputs, training=True) - model(inputs)).max() > 1e-3


def encoder_parameters(config):
    features, lengths = encoder_inputs()
    encoder = keras.Model([features, lengths], encode(features, lengths, config))
    return sum(int(np.prod(w.shape)) for w in encoder.trainable_weights)


def counted(config, bins=80):
    """The encoder's weights, counted on paper."""
    d, f, c = config.dim, config.feed_forward, config.subsampling
    bands, more = subsampled_length(bins, config.halvings), config.halvings - 1
    separable = config.subsampling_kind == "dw_striding"
    further = 9 * c + (c * c + c) if separable else 9 * c * c + c
    subsampling = (9 * c + c) + more * further + (bands * c * d + d)
    feed_forward = (d * f + f) + (f * d + d)
    attention = 4 * (d * d + d) + d * d + 2 * d
    norm = 2 * d if config.conv_norm == "layer" else 0
    convolution = (d * 2 * d + 2 * d) + (config.kernel * d + d) + norm + (d * d + d)
    block = 2 * feed_forward + attention + convolution + 2 * d
    return subsampling + config.blocks * block - 2 * d  # the last normalisation has no weights


def decoder_parameters(name):
    """Prediction and joint network of the paper's transducer, which gives no more than a width.

    Taken here: embedding, LSTM and joint network of that width, projections of encoder and
    decoder into the joint network, an output for each word piece and the blank.
    """
    width, d = PAPER_DECODER[name], PRESETS[name].dim
    embedding = PAPER_VOCABULARY * width
    lstm = 4 * (2 * width * width + width)
    joint = (d * width + width) + width * width
    output = (width + 1) * (PAPER_VOCABULARY + 1)
    return embedding + lstm + joint + output


@pytest.mark.parametrize("config", [SMALL, EVEN_KERNEL, EIGHTH, NEMO])
def test_count_by_hand(config):
    assert encoder_parameters(config) == counted(config)


@pytest.mark.slow
@pytest.mark.parametrize("name", PRESETS)
def test_count_by_hand_of_the_presets(name):
    """Of two blocks: the others are as large."""
    config = dataclasses.replace(PRESETS[name], blocks=2)
    assert encoder_parameters(config) == counted(config)


@pytest.mark.parametrize(("name", "tolerance"), [("S", 0.03), ("M", 0.05), ("L", 0.03)])
def test_presets_have_the_published_sizes(name, tolerance):
    total = counted(PRESETS[name]) + decoder_parameters(name)
    assert total / 1e6 == pytest.approx(PAPER_MILLIONS[name], rel=tolerance)


def test_dense_layers_have_stable_names(model):
    names = [layer.name for layer in model.layers]
    assert len(set(names)) == len(names)
    for name in ("block_00_attention_query", "block_01_ffn2_project", "ctc_output"):
        assert name in names
