"""Recognisers quantized for speech, in Python and by the command, of each kind."""

import dataclasses
import json

import numpy as np
import pytest
import soundfile

from asr_qat.errors import UserError
from asr_qat.models.model_directory import Recogniser
from asr_qat.pretrained.import_checkpoint import import_checkpoint
from asr_qat.quantize.apply import quantized_layers
from asr_qat.training import calibrated as module
from asr_qat.training.calibrated import Calibration, calibrated
from asr_qat.training.quantized import post_training
from tests.conftest import SAMPLE_RATE, long_case
from tests.pretrained_fixtures import checkpoint
from tflite_export.convert.bake import bake
from tflite_export.convert.convert import convert_recogniser
from tflite_export.runtime.metadata import read_metadata
from tflite_export.score.compare import matching_model

pytest_plugins = ["tests.export_fixtures", "tests.transducer_fixtures"]


@pytest.fixture
def speech(synthetic_corpus):
    """A folder of recordings."""
    return Calibration(synthetic_corpus / "test", utterances=3)


def pieces(recogniser, calibration):
    return list(module.speech_pieces(recogniser, calibration))


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["w4a8", long_case("w4a8s")])
def test_the_file_of_the_command_holds_what_python_computes(
    precision, tflite_export, float_recogniser, model_directory, speech, tmp_path
):
    path = tmp_path / "x.tflite"
    words = ("convert", model_directory, "-o", path, "--precision", precision, "--seconds", 1)
    options = ("--calibration", speech.data, "--calibration-utterances", 3, "--rounding", "gptq")
    code, out, error = tflite_export(*words, *options)
    assert code == 0, error
    assert f"bytes, {precision}\n" in out and "round: " in error and " left" in error
    before = float_recogniser.model.get_weights()
    found = calibrated(float_recogniser, precision, speech)
    assert all(map(np.array_equal, before, float_recogniser.model.get_weights()))
    assert path.read_bytes() == convert_recogniser(found, None, (1.0,))
    layers, metadata = bake(quantized_layers(found.model)), read_metadata(path)
    assert set(metadata.layers.values()) == {f"{precision}-learned"}
    assert set(layers) == set(metadata.layers) and metadata.method == "ptq"
    if precision == "w4a8":
        with pytest.raises(UserError, match="quantized with --calibration"):
            matching_model(model_directory, metadata)


@pytest.mark.slow
def test_the_prediction_network_of_a_transducer_sees_what_is_recognised(ngram_transducer, speech):
    found = calibrated(ngram_transducer, "w4a8", speech)
    names = {name: layer.precision.name for name, layer in quantized_layers(found.model).items()}
    assert names["joint_encoder"] == names["prediction_ngram"] == "w4a8-learned"
    assert names["joint_output"] == names["prediction_embedding"] == "w4a8"
    decoder = ngram_transducer.decoder()
    for features, lengths, labels in module._batches(ngram_transducer, speech):
        texts = decoder.search(decoder.encode(features, lengths), lengths)
        assert labels.tolist() == [tokens[: labels.shape[1]] for tokens in texts]
        assert labels.shape[1] == min(map(len, texts))


@pytest.mark.long
@pytest.mark.slow
@pytest.mark.parametrize("name", ["fastconformer-ctc", long_case("ctc"), long_case("hf_ctc")])
def test_imported_networks_come_closer_to_what_they_were(name, speech, manifest, tmp_path):
    import_checkpoint(checkpoint(name), tmp_path / "model", quiet=True)
    plain = Recogniser.load(tmp_path / "model")
    rate = plain.config.front_end.sample_rate
    (other,) = Calibration(manifest, 1).recordings()
    features = module.recording_features(plain, other.read(rate))
    inputs = [features[None], np.array([len(features)], np.int32)]

    def error(quantized):
        found, expected = (each.model(inputs, training=False) for each in (quantized, plain))
        return float(np.sqrt(np.mean((found - expected) ** 2)))

    nearest = error(post_training(plain, "w2a8"))
    assert error(calibrated(plain, "w2a8", speech)) < 0.8 * nearest


def test_nothing_is_padded_and_little_is_cut():
    pieces = [np.full((length, 2), length) for length in (10, 11, 12, 14, 30, 31, *[40] * 9)]
    found = [[len(each) for each in batch] for batch in module._alike(pieces)]
    assert found == [[10, 11, 12], [14], [30, 31], [40] * 8, [40]]


def test_speech_is_a_folder_a_manifest_or_a_recording(synthetic_corpus, manifest, tmp_path):
    folder = synthetic_corpus / "test"
    names = {path.name for path in folder.glob("*.wav")}
    assert {each.audio_path.name for each in Calibration(folder).recordings()} == names
    assert {each.audio_path.name for each in Calibration(manifest).recordings()} == names
    lines = [json.loads(line) for line in manifest.read_text().splitlines()]
    unlabelled = tmp_path / "unlabelled.jsonl"
    audio = [{"audio_filepath": line["audio_filepath"]} for line in lines]
    unlabelled.write_text("".join(json.dumps(line) + "\n" for line in audio))
    assert {each.audio_path.name for each in Calibration(unlabelled).recordings()} == names
    one = next(folder.glob("*.wav"))
    assert [each.audio_path for each in Calibration(one).recordings()] == [one]


def test_draws_go_by_the_seed(manifest):
    drawn = [
        [each.id for each in Calibration(manifest, 2, seed).recordings()] for seed in range(12)
    ]
    assert all(len(set(each)) == 2 for each in drawn)
    assert len({tuple(sorted(each)) for each in drawn}) == 3  # of three recordings


def test_long_recordings_are_cut(float_recogniser, tmp_path):
    rng = np.random.default_rng(0)
    for name, seconds in (("long", 50), ("short", 3)):
        noise = 0.1 * rng.standard_normal(seconds * SAMPLE_RATE)
        soundfile.write(tmp_path / f"{name}.wav", noise, SAMPLE_RATE)
    frames = sorted(map(len, pieces(float_recogniser, Calibration(tmp_path, 100))))
    assert frames == [298, 4998 - 2 * 1998, 1998, 1998]
    assert len(pieces(float_recogniser, Calibration(tmp_path, 3))) == 3
    assert len(pieces(float_recogniser, Calibration(tmp_path / "long.wav", 2))) == 2


def test_what_cannot_be_read_is_one_line(
    tflite_export, float_recogniser, model_directory, tmp_path
):
    words = ("convert", model_directory, "-o", tmp_path / "x.tflite", "--precision", "w4a8")

    def error_of(*more):
        code, _, error = tflite_export(*words, *more)
        assert code == 1 and error.count("\n") == 1
        assert not (tmp_path / "x.tflite").exists()
        return error

    assert "nowhere: no speech to calibrate on" in error_of("--calibration", "nowhere")
    found = error_of("--calibration", "nowhere", "--precision", "w4a4")  # before any speech
    assert "subsampling_pointwise: LiteRT does not execute w4a4" in found
    (tmp_path / "empty").mkdir()
    assert "empty: no recording in it" in error_of("--calibration", tmp_path / "empty")
    soundfile.write(tmp_path / "empty" / "a.wav", np.zeros(10), SAMPLE_RATE)
    nothing = Calibration(tmp_path / "empty")
    with pytest.raises(UserError, match="all recordings are empty"):
        pieces(float_recogniser, nothing)
    with pytest.raises(UserError, match="add --precision w4a8"):
        convert_recogniser(float_recogniser, None, calibration=nothing)
    few = dataclasses.replace(nothing, utterances=0)
    with pytest.raises(UserError, match="0 utterances to calibrate on: expected 1 or more"):
        few.recordings()
