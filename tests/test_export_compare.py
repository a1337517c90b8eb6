"""A file against its own Keras model, over recordings."""

import dataclasses
import json

import numpy as np
import pytest
import soundfile

from asr_qat.corpora.recordings import recordings
from asr_qat.errors import UserError
from asr_qat.models.model_directory import Recogniser
from asr_qat.text.tokenizer import Tokenizer
from tests.conftest import SAMPLE_RATE, long_case
from tests.export_fixtures import noise
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score import evaluate
from tflite_export.score.compare import compare, matching_model

pytest_plugins = ["tests.export_fixtures"]
pytestmark = pytest.mark.slow


def compared(path, model, manifest):
    items = recordings(manifest)
    device = TFLiteRecogniser(path)
    result = evaluate.run(device, items, quiet=True)
    keras = matching_model(model, device.metadata) if not isinstance(model, Recogniser) else model
    return result, compare(keras, device, items, result, quiet=True)


def test_a_float_file_is_its_model(exported, model_directory, manifest):
    result, found = compared(exported("float"), model_directory, manifest)
    assert any(result.hypotheses)
    assert found.identical_hypotheses == 1
    assert found.different == ()
    assert found.median_logit_diff < 1e-5
    assert found.max_logit_diff < 1e-3


@pytest.mark.parametrize(
    "precision", ["w4a8", "w2a8-asym", *map(long_case, ["w8a8", "w2a8", "w4", "w2"])]
)
def test_a_quantized_file(exported, model_directory, manifest, precision):
    """What is not identical is named, with logits that lie close together."""
    result, found = compared(exported(precision), model_directory, manifest)
    different = found.different
    assert found.identical_hypotheses == pytest.approx(1 - len(different) / 3)
    assert found.median_logit_diff <= max(1e-5, 3 * found.rounding_floor)
    for row in different:
        assert row.keras != row.tflite
        assert len(row.logits) == 2
        (a, b) = row.logits.values()
        assert (a.keras - b.keras) * (a.tflite - b.tflite) <= 0  # they change order
        for logit in (a, b):
            assert abs(logit.keras - logit.tflite) <= found.max_logit_diff + 1e-6
    if precision in ("w4", "w2"):  # no activations on rounding edges
        assert different == ()
        assert found.median_logit_diff < 1e-5


def test_a_recording_without_a_frame(exported, model_directory, manifest, tmp_path):
    soundfile.write(tmp_path / "short.wav", np.zeros(200, np.float32), SAMPLE_RATE)
    line = json.dumps({"audio_filepath": str(tmp_path / "short.wav"), "text": "ONE"}) + "\n"
    longer = tmp_path / "test.jsonl"
    longer.write_text(line + manifest.read_text())
    result, found = compared(exported("float"), model_directory, longer)
    assert result.hypotheses[0] == ""
    assert len(result.logits[0]) == 0
    assert found.identical_hypotheses == 1
    assert 0 < found.median_logit_diff < 1e-5


def test_another_model_is_noticed(exported, model_directory, manifest):
    other = Recogniser.load(model_directory)
    output = other.model.get_layer("ctc_output")
    output.kernel.assign(-output.kernel)
    result, found = compared(exported("float"), other, manifest)
    assert found.identical_hypotheses == 0
    assert found.median_logit_diff > 0.1
    items = recordings(manifest)
    for row, item, logits in zip(found.different, items, result.logits, strict=True):
        assert (row.id, row.reference) == (item.id, item.text)
        for index, both in row.logits.items():
            assert both.tflite == logits[row.frame, int(index)]
        assert str(logits[row.frame].argmax()) in row.logits


def test_models_that_do_not_match(exported, mixed_recogniser, float_recogniser, tmp_path):
    metadata = TFLiteRecogniser(exported("w8a8")).metadata
    mixed_recogniser.save(tmp_path / "w4a8")
    with pytest.raises(UserError, match="a native-qat model, but the file's is ptq"):
        matching_model(tmp_path / "w4a8", metadata)
    float_recogniser.save(tmp_path / "float")
    trained = dataclasses.replace(metadata, method="native-qat")
    with pytest.raises(UserError, match="a float model, but the file's is native-qat"):
        matching_model(tmp_path / "float", trained)
    fewer = dataclasses.replace(metadata, layers={})
    with pytest.raises(UserError, match="other precisions"):
        matching_model(tmp_path / "float", fewer)
    tokenizer = Tokenizer.train(["OTHER LETTERS ABC"], 40, "char")
    config, mean, std = (getattr(float_recogniser, n) for n in ("config", "mean", "std"))
    Recogniser.create(config, tokenizer, mean, std).save(tmp_path / "words")
    with pytest.raises(UserError, match="vocabulary"):
        matching_model(tmp_path / "words", metadata)


def test_a_float_model_is_quantized_for_the_comparison(exported, model_directory):
    metadata = TFLiteRecogniser(exported("w8a8")).metadata
    quantized = matching_model(model_directory, metadata)
    assert quantized.config.quantization.precision == "w8a8"
    features = noise(40)
    logits = quantized.model([features[None], np.array([40])], training=False)[0].numpy()
    assert logits.shape == (10, metadata.tokenizer.vocab_size + 1)
