"""The device side: windows, padding, lengths, and no TensorFlow."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_qat.decoding.ctc_greedy import greedy_ctc
from asr_qat.models.model_directory import Recogniser
from tests.conftest import WORD_HZ, utterance
from tests.export_fixtures import FRAMES, noise
from tflite_export.convert.convert import convert_recogniser
from tflite_export.runtime.recogniser import TFLiteRecogniser

pytest_plugins = ["tests.export_fixtures"]
pytestmark = pytest.mark.slow

REPOSITORY = Path(__file__).parent.parent
SHORT, LONG = FRAMES
CONTEXT, STEP = 48, 100  # feature frames; a quarter of the longest signature, and what is left

# Device programs need what setup.cfg lists in install_requires and nothing else.
BLOCKED = (
    "tensorflow",
    "keras",
    "tf_keras",
    "tensorflow_io",
    "tensorflow_model_optimization",
    "litert_quantizer",
    "matplotlib",
    "av",
)
WITHOUT_TENSORFLOW = f"""
import sys
for name in {BLOCKED!r}:
    sys.modules[name] = None
"""


@pytest.fixture(scope="module")
def device(exported) -> TFLiteRecogniser:
    return TFLiteRecogniser(exported("float"))


def test_the_signatures(device):
    assert device.lengths == list(FRAMES)


@pytest.mark.parametrize(
    "frames",
    [
        *range(1, 10),
        *(SHORT + d for d in range(-2, 3)),
        *(LONG + k * STEP + d for k in range(4) for d in range(-4, 5)),
        1234,
    ],
)
def test_the_number_of_frames(device, frames):
    logits = device.encode(noise(frames))
    halves = -(-frames // 2)
    assert logits.shape == (-(-halves // 2), device.metadata.tokenizer.vocab_size + 1)
    assert np.isfinite(logits).all()


@pytest.mark.parametrize("frames", [199, 298, 299, 300, 301, 555])
def test_windows(device, frames):
    """Each frame of the result comes from one window, at its place, far from its inner ends."""
    features = noise(frames)
    logits = device.encode(features)
    windows = {}
    for start in range(0, frames, STEP):
        windows[start] = device.encode(features[start : start + LONG])
        if start + LONG >= frames:
            break
    assert len(windows) > 1
    last = max(windows)
    for index, frame in enumerate(logits):
        sources = [
            start
            for start, window in windows.items()
            if 0 <= index - start // 4 < len(window)
            and np.array_equal(window[index - start // 4], frame)
        ]
        assert len(sources) == 1, index
        (start,) = sources
        inside = 4 * index - start
        assert start == 0 or inside >= CONTEXT
        assert start == last or inside < LONG - CONTEXT


def test_local_attention(float_recogniser, tmp_path):
    """The exported band is that of the Keras model, which differs from full attention."""
    config = dataclasses.replace(
        float_recogniser.config,
        encoder=dataclasses.replace(float_recogniser.config.encoder, attention_context=2),
    )
    parts = (float_recogniser.tokenizer, float_recogniser.mean, float_recogniser.std)
    local = Recogniser.create(config, *parts)
    local.model.set_weights(float_recogniser.model.get_weights())
    path = tmp_path / "local.tflite"
    path.write_bytes(convert_recogniser(local, "float", (2.0,)))
    features = noise(150)  # of 198 frames
    logits = TFLiteRecogniser(path).encode(features)
    inputs = [features[None], np.array([150], np.int32)]
    np.testing.assert_allclose(logits, local.model(inputs)[0], atol=1e-4)
    assert np.abs(logits - float_recogniser.model(inputs)[0]).max() > 0.05


def test_the_text_of_a_long_utterance(device):
    audio = utterance(list(WORD_HZ) * 3, 0)  # 5.25 s; the longest signature holds 2
    features = device.features(audio)
    assert len(features) > 2 * LONG
    tokenizer = device.metadata.tokenizer
    logits = device.encode(features)
    assert device.transcribe(audio) == tokenizer.decode(greedy_ctc(logits, tokenizer.blank))
    start = device.encode(features[:LONG])[: (LONG - CONTEXT) // 4]
    np.testing.assert_array_equal(logits[: len(start)], start)
    expected = tokenizer.decode(greedy_ctc(start, tokenizer.blank))
    assert device.transcribe(audio).startswith(expected[:-1])  # a cut may end within a word


@pytest.mark.parametrize("samples", [0, 1, 399])
def test_less_than_one_frame(device, samples):
    assert device.transcribe(np.zeros(samples, np.float32)) == ""


def test_one_frame(device):
    assert device.features(np.zeros(400, np.float32)).shape == (1, 80)
    assert isinstance(device.transcribe(np.zeros(400, np.float32)), str)


@pytest.mark.parametrize("frames", [1, 3, 50, SHORT - 1, SHORT])
def test_padding_does_not_matter(device, exported, frames):
    features = noise(frames)
    longer = TFLiteRecogniser(exported("float"))
    del longer._lengths[SHORT]
    np.testing.assert_allclose(longer.encode(features), device.encode(features), atol=1e-4)


def test_threads(device, exported):
    features = noise(150)
    two = TFLiteRecogniser(exported("float"), threads=2)
    np.testing.assert_allclose(two.encode(features), device.encode(features), atol=1e-4)


def test_whole_path_from_audio_is_that_of_keras(device, model_directory, synthetic_corpus):
    """Features in numpy and the file, against features in TensorFlow and the Keras model."""
    from asr_qat.audio.log_mel import log_mel

    keras = Recogniser.load(model_directory)
    audio, _ = soundfile.read(sorted((synthetic_corpus / "test").glob("*.wav"))[0], dtype="float32")
    mels = log_mel(audio, keras.config.front_end).numpy()
    features = ((mels - keras.mean) / keras.std).astype(np.float32)
    expected = keras.model([features[None], np.array([len(features)])], training=False)[0]
    np.testing.assert_allclose(device.encode(device.features(audio)), expected, atol=2e-3)


def without_tensorflow(program: str, *words) -> str:
    """Standard output of a process that cannot import TensorFlow."""
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_TENSORFLOW + program, *map(str, words)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_transcribing_without_tensorflow(exported, synthetic_corpus):
    path = exported("w4a8")
    audio = sorted((synthetic_corpus / "test").glob("*.wav"))
    device = TFLiteRecogniser(path)
    texts = [device.transcribe(soundfile.read(a, dtype="float32")[0]) for a in audio]
    assert any(texts)
    program = "from tflite_export.cli import main; main()"
    lines = without_tensorflow(program, "transcribe", path, *audio).splitlines()
    assert lines == [f"{a}\t{text}" for a, text in zip(audio, texts, strict=True)]
    assert without_tensorflow(program, "transcribe", path, audio[0]) == texts[0] + "\n"


def test_scoring_without_tensorflow(exported, manifest, tmp_path):
    program = "from tflite_export.cli import main; main()"
    written = tmp_path / "hypotheses.jsonl"
    words = ("--data", manifest, "--json", "--quiet", "--hypotheses", written)
    found = json.loads(without_tensorflow(program, "evaluate", exported("w4a8"), *words))
    assert found["utterances"] == len(written.read_text().splitlines()) == 3
    inspected = without_tensorflow(program, "inspect", exported("w4a8"), "--json")
    assert json.loads(inspected)["weight_widths"]["dense"]["4"] == 1
