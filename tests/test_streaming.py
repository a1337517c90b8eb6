"""Live models: a stream in chunks gives what the whole utterance gives, and hears no further."""

import dataclasses

import hypothesis
import hypothesis.strategies as st
import numpy as np
import pytest

from asr_qat.audio.front_end import FrontEndConfig, subsampled_length
from asr_qat.errors import UserError
from asr_qat.layers.both_passes import OnePass
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.presets import PRESETS, STREAMING, TRANSDUCERS
from asr_qat.models.streaming_config import SUBSAMPLING, StreamingConfig
from asr_qat.models.streaming_functions import zero_state
from asr_qat.quantize.apply import QuantizationConfig, quantize_model, quantized_layers
from tests.conftest import long_case
from tests.live_fixtures import (
    BINS,
    ENCODER,
    TRANSDUCER,
    functions,
    live_model,
    normal,
    streamed,
    whole,
)
from tests.live_fixtures import STREAMING as SHAPE

NO_LOOK_AHEAD = StreamingConfig(1, left_context=2, look_ahead=0, right_context=0)
SIZES = [1, 2, 7]  # frames of chunks, each with a graph: 7 are more than any state holds
LENGTHS = np.array([41, 13], np.int32)
LABELS = np.array([[1, 8, 0, 3], [4, -1, -1, -1]], np.int32)


@pytest.mark.parametrize(
    ("precision", "streaming"),
    [
        ("float", SHAPE),
        long_case("float", NO_LOOK_AHEAD),
        long_case("w4", SHAPE),
        long_case("w4", NO_LOOK_AHEAD),
    ],
    ids=["float", "float-no-look-ahead", "w4", "w4-no-look-ahead"],
)
@hypothesis.settings(max_examples=8)
@hypothesis.given(
    length=st.integers(1, 90),
    sizes=st.lists(st.sampled_from(SIZES), min_size=1, max_size=8),
    seed=st.integers(0, 99),
)
def test_a_stream_is_the_whole_utterance(precision, streaming, length, sizes, seed):
    model, parts = functions(precision, streaming)
    features = normal(length, seed)
    found = streamed(parts, features, sizes, streaming)
    for ours, expected in zip(found, whole(model, features), strict=True):
        assert ours.shape == (subsampled_length(length), TRANSDUCER.joint)
        np.testing.assert_allclose(ours, expected, atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("sizes", [[1], [2, 7, 1]], ids=["even", "uneven"])
def test_a_stream_of_quantized_activations(sizes):
    """The ranges of activations are those of a row, which is the same in a chunk.

    What differs are sums of floats between the products, in their last bit (up to 1e-6 here). Few
    activations are that near to a rounding edge and go by a whole step, a 255th of their row's
    range, to the other side: a few frames after them differ by a fraction of that. All others
    agree as float ones do; with a chunk's range in place of a row's none would.
    """
    model, parts = functions("w4a8")
    features = normal(240)
    found = streamed(parts, features, sizes)
    for ours, expected in zip(found, whole(model, features), strict=True):
        difference = np.abs(ours - expected).max(axis=1)
        assert difference.max() < np.ptp(expected) / 50
        assert (difference < 1e-5).mean() >= 0.8


@pytest.mark.parametrize("precision", ["float", "w4a8"])
def test_what_a_frame_hears(precision):
    """Exactly the features up to its look-ahead, and no earlier than its left context."""
    model, _ = functions(precision)
    features, at = normal(120), 80
    changed = features.copy()
    changed[at:] += 1.0
    delays = (SHAPE.first_delay, SHAPE.second_delay)
    for before, after, delay in zip(
        whole(model, features), whole(model, changed), delays, strict=True
    ):
        difference = np.abs(after - before).max(axis=1)
        last = SUBSAMPLING * (np.arange(len(before)) + delay) + SUBSAMPLING - 1  # feature heard
        np.testing.assert_array_equal(difference[last < at], 0)
        assert (difference[last >= at][:2] > 1e-4).all()


def test_changes_within_the_right_context_reach_the_second_pass_alone():
    model, _ = functions("float")
    features, frame = normal(120), 10
    changed = features.copy()
    changed[SUBSAMPLING * (frame + SHAPE.second_delay)] += 1.0
    first, second = (
        np.abs(after - before)[frame].max()
        for before, after in zip(whole(model, features), whole(model, changed), strict=True)
    )
    assert first == 0
    assert second > 1e-5


def test_states_are_those_of_earlier_frames():
    _, parts = functions("float")
    causal, cascade = zero_state(parts.causal(3)), zero_state(parts.cascade(3))
    assert causal.keys() == zero_state(parts.causal(1)).keys()  # whatever the chunk
    dim, left, kernel = ENCODER.dim, SHAPE.left_context, ENCODER.kernel
    shapes = {name: tuple(value.shape) for name, value in (causal | cascade).items()}
    assert shapes == {
        "subsampling_features": (1, 1, BINS, 1),
        "subsampling_halves": (1, 1, BINS // 2, ENCODER.subsampling),
        "causal_valid_history": (1, left + 1),
        "cascade_valid_history": (1, left + 2 + 2),
        "block_00_attention_residual": (1, 1, dim),
        **{f"block_00_attention_{part}": (1, left + 1, dim) for part in ("keys", "values")},
        **{f"block_01_attention_{part}": (1, left, dim) for part in ("keys", "values")},
        **{f"block_0{i}_conv_frames": (1, kernel - 1, dim) for i in (0, 1)},
        **{f"cascade_0{i}_attention_residual": (1, 2, dim) for i in (0, 1)},
        **{
            f"cascade_0{i}_attention_{part}": (1, left + 2, dim)
            for i in (0, 1)
            for part in ("keys", "values")
        },
        **{f"cascade_0{i}_conv_frames": (1, kernel - 1, dim) for i in (0, 1)},
    }
    positions = {name: tuple(value.shape) for name, value in parts.positions.output.items()}
    assert positions == {
        "block_00_attention_positions": (1, left + 2, dim),
        "block_01_attention_positions": (1, left + 1, dim),
        "cascade_00_attention_positions": (1, left + 3, dim),
        "cascade_01_attention_positions": (1, left + 3, dim),
    }


def test_delays():
    assert (SHAPE.first_delay, SHAPE.second_delay) == (1, 5)
    assert SHAPE.delays_ms(FrontEndConfig()) == (40, 200)
    assert STREAMING["live_tiny"].delays_ms(FrontEndConfig()) == (40, 360)
    assert STREAMING["live_l"].delays_ms(FrontEndConfig()) == (40, 840)


@pytest.mark.parametrize("name", STREAMING)
def test_presets_are_models(name):
    ModelConfig(PRESETS[name], transducer=TRANSDUCERS[name], streaming=STREAMING[name])


def test_outputs_of_training():
    model = live_model()
    inputs = [np.stack([normal(41), normal(41, 1)]), LENGTHS, LABELS]
    outputs = model(inputs)
    assert [tuple(o.shape) for o in outputs] == [(2, 11, 5, 2)] * 2 + [(2, 11, 10)] * 2
    sampling = dataclasses.replace(SHAPE, sampling=True, causal_weight=0.5)
    sampled = live_model(sampling)
    sampled.set_weights(model.get_weights())
    one = sampled(inputs)
    assert len(one) == 3
    np.testing.assert_allclose(one[0], outputs[1], atol=1e-6)
    plain = live_model(config=dataclasses.replace(TRANSDUCER, ctc_weight=0.0))
    assert len(plain(inputs)) == 2


def test_one_pass_is_either():
    layer = OnePass.from_config(OnePass(0.25, name="one").get_config())
    layer.seed(3)
    frames = [np.zeros((1, 2, 3), np.float32), np.ones((1, 2, 3), np.float32)]
    drawn = [float(layer(frames, training=True)[0, 0, 0]) for _ in range(200)]
    assert set(drawn) == {0.0, 1.0}
    assert 0.6 < np.mean(drawn) < 0.9
    layer.seed(3)
    assert drawn[:9] == [float(layer(frames, training=True)[0, 0, 0]) for _ in range(9)]
    np.testing.assert_array_equal(layer(frames), frames[1])


def test_precisions_by_pattern():
    model = live_model()
    config = QuantizationConfig("w4a8", overrides={"^block_00_": "w8a8", "^joint_": "float"})
    found = quantized_layers(quantize_model(model, config))
    bits = {name: layer.precision.weight_bits for name, layer in found.items()}
    assert bits["block_00_ffn1_expand"] == 8
    assert bits["block_01_ffn1_expand"] == bits["cascade_00_ffn1_expand"] == 4
    assert not bits.keys() & {"joint_encoder", "joint_cascade", "joint_output"}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"cascade_blocks": 0}, "cascade_blocks: 0 is less than 1"),
        ({"left_context": 0}, "left_context: 0 is less than 1"),
        ({"look_ahead": -1}, "look_ahead: -1 is less than 0"),
        ({"right_context": -1}, "right_context: -1 is less than 0"),
        ({"causal_weight": 1.0}, "causal_weight: 1.0 is not between 0 and 1"),
    ],
)
def test_shapes_that_cannot_be_built(changes, complaint):
    with pytest.raises(UserError, match=complaint):
        dataclasses.replace(SHAPE, **changes)


def test_parts_that_do_not_go_together():
    with pytest.raises(UserError, match="streaming: needs a transducer"):
        ModelConfig(ENCODER, streaming=SHAPE)
    limited = dataclasses.replace(ENCODER, attention_context=8)
    with pytest.raises(UserError, match="attention_context"):
        ModelConfig(limited, transducer=TRANSDUCER, streaming=SHAPE)
    coarse = dataclasses.replace(ENCODER, subsampling_factor=8)
    with pytest.raises(UserError, match="subsampling_factor: 8: a live model subsamples by 4"):
        ModelConfig(coarse, transducer=TRANSDUCER, streaming=SHAPE)
