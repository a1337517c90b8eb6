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


@pytest.fixture(scope="module")
def tdt_run(prepared_folder, tmp_path_factory):
    config = configuration(
        prepared_folder,
        tmp_path_factory.mktemp("tdt") / "model",
        steps=40,
        encoder=LISTENER,
        model="transducer",
        transducer=TDT,
        quantization=W4,
        batches=PLAIN,
        optimizer=optimizer(0.01),
        evaluate_every=10,
        keep="last",
    )
    return config, train(config, quiet=True)


@pytest.fixture(scope="module")
def random_tdt(float_recogniser):
    """Of random weights, with few blanks."""
    recogniser = random_transducer(float_recogniser, dataclasses.replace(TDT, ctc_weight=0.0))
    bias = recogniser.model.get_layer("joint_output").bias
    blank = recogniser.tokenizer.blank
    bias.assign_sub(2 * np.eye(bias.shape[0], dtype=np.float32)[[-1, blank]].sum(axis=0))
    return recogniser


@pytest.fixture(scope="module")
def random_file(random_tdt, tmp_path_factory):
    path = tmp_path_factory.mktemp("tdt") / "random.tflite"
    path.write_bytes(convert_recogniser(random_tdt, "float", SECONDS))
    return path


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


@pytest.mark.long
@pytest.mark.slow
def test_the_loss_falls(tdt_run):
    """In integers: native training from the first step."""
    config, recogniser = tdt_run
    losses = [line["loss"] for line in history(config.output)]
    assert losses[-1] < losses[0] / 2
    assert losses == sorted(losses, reverse=True)
    assert recogniser.config.transducer == TDT


@pytest.mark.long
@pytest.mark.slow
def test_the_file_is_the_trained_model(tdt_run, prepared_folder, tmp_path):
    config, recogniser = tdt_run
    path = tmp_path / "model.tflite"
    convert(config.output, path, seconds=(2.0,))
    assert inspect(path).weight_widths["dense"]["4"] == 1
    device, items = TFLiteRecogniser(path), recordings(prepared_folder)
    assert device.metadata.durations == device.steps.durations == DURATIONS
    result = evaluate.run(device, items, quiet=True)
    found = compare(recogniser, device, items, result, quiet=True)
    assert any(result.hypotheses)
    assert len(found.different) <= 1  # activations may be on a rounding edge
    assert found.median_logit_diff <= max(1e-5, 3 * found.rounding_floor)


@pytest.mark.slow
def test_a_file_of_random_weights_is_its_keras_model(random_tdt, random_file):
    """Many labels and durations, by both searches; states of both LSTMs."""
    device, decoder = TFLiteRecogniser(random_file), random_tdt.decoder()
    names = {f"prediction_lstm{i}_{s}" for i in ("", "_2") for s in ("output", "cell")}
    inputs = device.signatures.inputs("predict")
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
def test_a_parting_of_durations_is_named(random_tdt, random_file, manifest):
    """Another order of durations: the first step that differs is shown with these classes."""
    device, items = TFLiteRecogniser(random_file), recordings(manifest)
    result = evaluate.run(device, items, quiet=True)
    joint = random_tdt.model.get_layer("joint_output")
    tokens = device.metadata.tokenizer.blank + 1
    before = joint.get_weights()
    order = [*range(tokens), *range(before[1].size - 1, tokens - 1, -1)]
    joint.set_weights([values[..., order] for values in before])
    try:
        found = compare(random_tdt, device, items, result, quiet=True, floor=False)
    finally:
        joint.set_weights(before)
    assert found.different
    for row in found.different:
        assert all(int(c) >= tokens for c in row.logits)
        assert len(row.logits) == 2
