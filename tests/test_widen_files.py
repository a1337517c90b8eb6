"""Files of recognisers with 2-bit weights, widened in memory and as they are."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from asr_qat.errors import UserError
from asr_qat.training.quantized import post_training
from tests.conftest import long_case
from tests.export_fixtures import SECONDS, noise
from tests.training_fixtures import REPOSITORY
from tflite_export.commands import transcribe as transcribe_command
from tflite_export.convert.convert import convert, convert_recogniser
from tflite_export.runtime.live.live_model import load_model
from tflite_export.runtime.live.whole_recording import transcribe
from tflite_export.runtime.model_file import ModelFile
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.runtime.weight_cache import cache_folder
from tflite_export.runtime.widen import widened

pytest_plugins = ["tests.export_fixtures"]
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("ASR_QAT_CACHE", str(tmp_path / "cache"))
    return cache_folder()


@pytest.fixture
def static(float_recogniser, prepared_folder, tmp_path) -> Path:
    """A file of static activations."""
    source = post_training(float_recogniser, "w2a8s", prepared_folder)
    content = convert_recogniser(source, None, SECONDS)
    (tmp_path / "static.tflite").write_bytes(content)
    return tmp_path / "static.tflite"


@pytest.mark.parametrize("precision", ["w2a8", long_case("w2a8-asym"), "two_bit"])
def test_a_recogniser_is_the_same_to_the_bit(exported, precision):
    check(exported(precision))


@pytest.mark.long
def test_static_activations(static):
    check(static)


def check(path: Path) -> None:
    own = ModelFile.read(path)
    narrow = TFLiteRecogniser(path, widen="no")
    for bits in (4, 8):
        assert len(widened(own, bits).content) > len(own.content)
        wide = TFLiteRecogniser(path, widen=bits)
        assert wide.bytes == narrow.bytes == path.stat().st_size
        for frames in (90, 190, 37):  # of both signatures
            features = noise(frames)
            np.testing.assert_array_equal(wide.encode(features), narrow.encode(features))


@pytest.mark.parametrize("precision", ["float", "w4a8", "w2", long_case("w3a8")])
def test_files_with_nothing_to_widen(exported, precision):
    """3 bits are held in 4, and weights of float products are converted back to floats."""
    path = exported(precision)
    TFLiteRecogniser(path, widen="auto")
    with pytest.raises(UserError, match=f"{path.name}: no 2-bit products to widen"):
        TFLiteRecogniser(path, widen=4)


def test_each_width_has_a_weight_cache_of_its_own(exported, folder):
    """LiteRT would take the weights of another width, without a word."""
    path = exported("w2a8")
    expected = TFLiteRecogniser(path, widen="no").encode(noise(90))
    for _ in range(2):
        for widen in ("no", 4, 8):
            cached = TFLiteRecogniser(path, weight_cache=True, widen=widen)
            np.testing.assert_array_equal(cached.encode(noise(90)), expected)
    assert len(list(folder.glob("*.xnnpack"))) == len(list(folder.glob("*.tflite"))) == 3


def test_the_option(exported, tflite_export, synthetic_corpus, manifest, tmp_path):
    path, audio = exported("w2a8"), sorted((synthetic_corpus / "test").glob("*.wav"))[0]
    said = {}
    for widen in ("no", "auto", "4", "8"):
        code, said[widen], error = tflite_export("transcribe", path, audio, "--widen", widen)
        assert code == 0, error
    assert len(set(said.values())) == 1
    transcribe_command._loaded.cache_clear()
    code, _, error = tflite_export("transcribe", path, audio, "--widen", "3")
    assert (code, error) == (1, "tflite-export: error: --widen 3: expected 4, 8, no, auto\n")
    hypotheses = ("--hypotheses", tmp_path / "found.jsonl", "--quiet")
    words = ("evaluate", path, "--data", manifest, *hypotheses, "--widen", "8")
    code, _, error = tflite_export(*words)
    assert code == 0, error
    words = ("evaluate", exported("w4a8"), "--data", manifest, *hypotheses, "--widen", "8")
    code, _, error = tflite_export(*words)
    assert code == 1 and "w4a8_2.tflite: no 2-bit products to widen" in error


@pytest.mark.long
@pytest.mark.parametrize(
    ("model", "precision"),
    [
        ("an4_tiny_float", "w2a8"),
        ("an4_tiny_float", "w2a8-asym"),
        ("an4_tiny_transducer_float", "w2a8"),
        ("an4_live_float", "w2a8"),
    ],
)
def test_the_models_of_this_repository(model, precision, tmp_path):
    path = tmp_path / "model.tflite"
    convert(REPOSITORY / "models" / model, path, precision)
    audio = np.random.default_rng(0).normal(0, 0.1, 5 * 16000).astype(np.float32)
    if model == "an4_live_float":
        found = [transcribe(load_model(path, widen=widen), audio) for widen in ("no", 4, 8)]
        assert found[0] == found[1] == found[2]
        return
    devices = [TFLiteRecogniser(path, widen=widen) for widen in ("no", 4, 8)]
    features = devices[0].features(audio)
    narrow, *wide = (device.recognise(features) for device in devices)
    for each in wide:
        for field in dataclasses.fields(narrow):
            np.testing.assert_array_equal(getattr(each, field.name), getattr(narrow, field.name))
