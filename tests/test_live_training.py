"""Trainings of live models: both losses, from whole-utterance weights, quantized, refused."""

import dataclasses

import numpy as np
import pytest

from asr_qat.config import load_yaml
from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.models.layer_names import whole_utterance_layer
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.presets import PRESETS, STREAMING, TRANSDUCERS
from asr_qat.models.streaming_config import StreamingConfig
from asr_qat.quantize.apply import QuantizationConfig, quantized_layers
from asr_qat.training.config import TrainConfig
from asr_qat.training.distillation import DistillationConfig
from asr_qat.training.run import train
from asr_qat.training.start import first_recogniser
from asr_qat.training.start_live import causal_kernel
from tests.conftest import long_case
from tests.training_fixtures import ENCODER, configuration, history
from tests.transducer_fixtures import LSTM

pytest_plugins = ["tests.training_fixtures"]

SHAPE = StreamingConfig(1, left_context=4, look_ahead=1, right_context=2, causal_weight=0.25)
HEADED = dataclasses.replace(LSTM, ctc_weight=0.4)
LIVE = {"model": "transducer", "transducer": HEADED, "streaming": SHAPE}


@pytest.fixture(scope="module")
def whole(prepared_folder, tmp_path_factory):
    """The directory of a transducer of whole utterances, of two blocks."""
    folder = PreparedFolder(prepared_folder)
    shape = ModelConfig(dataclasses.replace(ENCODER, blocks=2), transducer=HEADED)
    recogniser = Recogniser.create(shape, folder.tokenizer, folder.stats.mean, folder.stats.std)
    for weights in recogniser.model.trainable_weights:
        weights.assign_add(0.1 * np.random.default_rng(0).standard_normal(weights.shape))
    path = tmp_path_factory.mktemp("whole") / "model"
    recogniser.save(path)
    return path


def layer_weights(recogniser, name) -> list[np.ndarray]:
    return recogniser.model.get_layer(name).get_weights()


def test_losses_of_both_passes():
    config = ModelConfig(ENCODER, transducer=HEADED, streaming=SHAPE)
    found = [(loss.name, share) for loss, share in config.kind.losses()]
    assert found == [
        ("transducer", 0.25),
        ("transducer", 0.75),
        ("ctc", pytest.approx(0.1)),
        ("ctc", pytest.approx(0.3)),
    ]
    one = dataclasses.replace(config, streaming=dataclasses.replace(SHAPE, sampling=True))
    assert [share for _, share in one.kind.losses()] == [1.0, *(share for _, share in found[2:])]


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("sampling", [False, long_case(True)])
def test_training_from_nothing(prepared_folder, tmp_path, sampling, request):
    if sampling:  # what is recognised is the other's to tell
        request.getfixturevalue("without_wer")
    streaming = dataclasses.replace(SHAPE, sampling=sampling)
    config = configuration(prepared_folder, tmp_path / "model", **LIVE | {"streaming": streaming})
    recogniser = train(config, quiet=True)
    lines = history(config.output)
    assert [sorted(line) for line in lines] == [["loss", "step", "wer", "wer_first"]] * 2
    # Losses of one pass and of the other do not compare.
    assert sampling or lines[1]["loss"] < lines[0]["loss"]
    assert recogniser.config.streaming == streaming


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.usefixtures("without_wer")
def test_quantized_from_a_whole_model_with_its_lessons(prepared_folder, whole, tmp_path):
    mixed = QuantizationConfig("w4a8", overrides={"^block_00_": "w8a8"})
    config = configuration(
        prepared_folder,
        tmp_path / "model",
        encoder=ENCODER,
        start=str(whole),
        quantization=mixed,
        distillation=DistillationConfig(),
        **LIVE,
    )
    recogniser = train(config, quiet=True)
    bits = {n: q.precision.weight_bits for n, q in quantized_layers(recogniser.model).items()}
    assert (bits["block_00_ffn1_expand"], bits["cascade_00_ffn1_expand"]) == (8, 4)
    assert all(np.isfinite(line["loss"]) for line in history(config.output))
    # And on from there as it is.
    more = configuration(prepared_folder, tmp_path / "more", encoder=None, start=config.output)
    assert first_recogniser(more, PreparedFolder(prepared_folder)).config == recogniser.config


@pytest.mark.slow
def test_weights_that_are_taken_over(prepared_folder, whole, tmp_path):
    config = configuration(
        prepared_folder, tmp_path / "model", encoder=ENCODER, start=str(whole), **LIVE
    )
    live = first_recogniser(config, PreparedFolder(prepared_folder))
    before = Recogniser.load(whole)
    for ours, theirs in {
        "subsampling_conv": "subsampling_conv",
        "block_00_attention": "block_00_attention",
        "cascade_00_ffn2_project": "block_01_ffn2_project",
        "joint_encoder": "joint_encoder",
        "joint_cascade": "joint_encoder",
        "ctc_cascade": "ctc_output",
        "prediction_lstm": "prediction_lstm",
        "joint_output": "joint_output",
    }.items():
        for one, other in zip(
            layer_weights(live, ours), layer_weights(before, theirs), strict=True
        ):
            np.testing.assert_array_equal(one, other)
    kernel, bias = layer_weights(live, "cascade_00_conv_depthwise")
    centred, centred_bias = layer_weights(before, "block_01_conv_depthwise")
    np.testing.assert_array_equal(kernel[2:], centred[:3])  # two before it and the frame itself
    np.testing.assert_array_equal(kernel[:2], 0)
    np.testing.assert_array_equal(bias, centred_bias)


def test_counterparts():
    assert whole_utterance_layer("cascade_01_conv_depthwise", 4) == "block_05_conv_depthwise"
    assert whole_utterance_layer("joint_cascade", 4) == "joint_encoder"
    assert whole_utterance_layer("block_03_norm", 4) == "block_03_norm"


@pytest.mark.parametrize(("length", "expected"), [(5, [0, 0, 1, 2, 3]), (2, [2, 3])])
def test_causal_kernel(length, expected):
    centred = np.array([1, 2, 3, 4, 5])[:, None, None]
    np.testing.assert_array_equal(causal_kernel(centred, length)[:, 0, 0], expected)


def test_an_even_kernel_has_its_middle_before_the_centre():
    """As TensorFlow pads it: 1 frame before and 2 after for 4."""
    np.testing.assert_array_equal(causal_kernel(np.arange(1, 5), 4), [0, 0, 1, 2])


def test_refusals(prepared_folder, tmp_path):
    ours = {"output": tmp_path / "model", "prepared_folder": prepared_folder}
    said = refusal_of(streaming=SHAPE, **ours)
    assert said.startswith("model: a live model is a transducer")
    assert "attention_context" in refusal_of(
        **ours, **LIVE | {"encoder": dataclasses.replace(ENCODER, attention_context=3)}
    )
    assert refusal_of(preset="live_tiny", encoder=None, **ours).startswith("model: ")


def refusal_of(prepared_folder, output, **changes) -> str:
    with pytest.raises(UserError) as caught:
        first_recogniser(
            configuration(prepared_folder, output, **changes), PreparedFolder(prepared_folder)
        )
    return str(caught.value)


@pytest.mark.parametrize("name", ["an4_live_float", "an4_live_mixed"])
def test_configurations_of_an4(name):
    config = load_yaml(f"configs/{name}.yaml", TrainConfig)
    if name == "an4_live_float":
        assert config.streaming_config() == STREAMING["live_tiny"]
        assert config.encoder_config() == PRESETS["live_tiny"]
        assert config.transducer_config() == TRANSDUCERS["live_tiny"]
    else:
        assert config.streaming_config() is None  # that of `start`
