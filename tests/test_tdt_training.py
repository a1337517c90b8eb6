"""A token-and-duration transducer from its training to its 4-bit file."""

import dataclasses

import numpy as np
import pytest

from asr_qat.corpora.recordings import recordings
from asr_qat.decoding.transducer_beam import beam_transducer
from asr_qat.errors import UserError
from asr_qat.losses.ctc import CTCLoss
from asr_qat.losses.tdt import TDTLoss
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.streaming_config import StreamingConfig
from asr_qat.training.run import train
from tests.export_fixtures import SECONDS, noise
from tests.training_fixtures import ENCODER, W4, configuration, history
from tests.transducer_fixtures import LISTENER, PLAIN, WRITER, optimizer, random_transducer
from tflite_export.convert.convert import convert, convert_recogniser
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score import evaluate
from tflite_export.score.compare import compare
from tflite_export.score.inspect import inspect

pytest_plugins = [
    "tests.export_fixtures", "tests.training_fixtures", "tests.transducer_fixtures"
]  # fmt: skip

DURATIONS = (0, 1, 2, 3, 4)
SHAPE = {"layers": 2, "activation": "relu", "durations": DURATIONS}
TDT = dataclasses.replace(WRITER, **SHAPE)
STEPS = 100


@pytest.fixture(scope="module")
def tdt_run(prepared_folder, tmp_path_factory):
    config = configuration(
        prepared_folder,
        tmp_path_factory.mktemp("tdt") / "float",
        steps=STEPS,
        encoder=LISTENER,
        model="transducer",
        transducer=TDT,
        batches=PLAIN,
        optimizer=optimizer(0.01),
        evaluate_every=STEPS // 4,
        keep="last",
    )
    return config, train(config, quiet=True)


def test_losses():
    def kinds(**changes):
        config = ModelConfig(ENCODER, transducer=dataclasses.replace(TDT, **changes))
        return [(type(loss), weight) for loss, weight in config.kind.losses()]

    assert kinds() == [(TDTLoss, 1.0), (CTCLoss, 0.3)]
    assert kinds(ctc_weight=0.0) == [(TDTLoss, 1.0)]
    networks = dataclasses.replace(TDT, sigma=0.05, omega=0.0)
    (loss, _), _ = ModelConfig(ENCODER, transducer=networks).kind.losses()
    assert (loss.durations, loss.sigma, loss.omega) == (DURATIONS, 0.05, 0.0)


def test_a_live_model_has_no_durations():
    streaming = StreamingConfig(1, left_context=8, look_ahead=1, right_context=2)
    with pytest.raises(UserError, match="durations: a live model is a plain transducer"):
        ModelConfig(ENCODER, transducer=TDT, streaming=streaming)


@pytest.mark.slow
def test_the_loss_falls(tdt_run):
    config, recogniser = tdt_run
    losses = [line["loss"] for line in history(config.output)]
    assert losses[-1] < losses[0] / 4
    assert losses == sorted(losses, reverse=True)
    assert recogniser.config.transducer == TDT


@pytest.mark.slow
def test_four_bits_by_native_training(tdt_run, prepared_folder, tmp_path):
    """From the float model by QAT to a file whose texts are those of Keras."""
    config = configuration(
        prepared_folder,
        tmp_path / "w4a8",
        start=tdt_run[0].output,
        encoder=None,
        quantization=W4,
        steps=10,
        evaluate_every=10,
        batches=PLAIN,
        optimizer=optimizer(0.002),
    )
    quantized = train(config, quiet=True)
    assert quantized.config.quantization == W4
    path = tmp_path / "model.tflite"
    convert(config.output, path, seconds=(2.0,))
    assert inspect(path).weight_widths["dense"]["4"] == 1
    device, items = TFLiteRecogniser(path), recordings(prepared_folder)
    assert device.metadata.durations == device.steps.durations == DURATIONS
    result = evaluate.run(device, items, quiet=True)
    found = compare(quantized, device, items, result, quiet=True)
    assert any(result.hypotheses)
    assert len(found.different) <= 1  # activations may be on a rounding edge
    assert found.median_logit_diff <= max(1e-5, 3 * found.rounding_floor)


@pytest.mark.slow
def test_a_file_of_random_weights_is_its_keras_model(float_recogniser, tmp_path):
    """Many labels and durations, by both searches; states of both LSTMs."""
    recogniser = random_transducer(float_recogniser, dataclasses.replace(TDT, ctc_weight=0.0))
    path = tmp_path / "model.tflite"
    path.write_bytes(convert_recogniser(recogniser, "float", SECONDS))
    device, decoder = TFLiteRecogniser(path), recogniser.decoder()
    names = {f"prediction_lstm{i}_{s}" for i in ("", "_2") for s in ("output", "cell")}
    inputs = device.interpreter.get_signature_runner("predict").get_input_details()
    assert inputs.keys() == {"label", *names}
    for features in (noise(198, 0), noise(61, 1)):
        encoded = decoder.encode(features[None], [len(features)])
        expected, found = decoder.recognise(encoded[0]), device.recognise(features)
        assert found.tokens == expected.tokens
        assert len(found.tokens) > 5
        assert len(found.logits) < encoded.shape[1] + len(found.tokens)  # frames are skipped
        np.testing.assert_allclose(found.logits, expected.logits, atol=1e-3)
        lengths = np.array([encoded.shape[1]])
        (best,) = beam_transducer(decoder, encoded, lengths, 4, nbest=3)
        assert [h.tokens for h in device.beam_search(features, 4, 3)] == [h.tokens for h in best]


@pytest.mark.slow
def test_a_parting_of_durations_is_named(float_recogniser, manifest, tmp_path):
    """Another order of durations: the first step that differs is shown with these classes."""
    recogniser = random_transducer(float_recogniser, dataclasses.replace(TDT, ctc_weight=0.0))
    path = tmp_path / "model.tflite"
    path.write_bytes(convert_recogniser(recogniser, "float", SECONDS))
    device, items = TFLiteRecogniser(path), recordings(manifest)
    result = evaluate.run(device, items, quiet=True)
    joint = recogniser.model.get_layer("joint_output")
    tokens = device.metadata.tokenizer.blank + 1
    for weights in (joint.kernel, joint.bias):
        values = weights.numpy()
        values[..., tokens:] = values[..., : tokens - 1 : -1]
        weights.assign(values)
    found = compare(recogniser, device, items, result, quiet=True, floor=False)
    assert found.different
    for row in found.different:
        assert all(int(c) >= tokens for c in row.logits)
        assert len(row.logits) == 2
