"""The example in C++: features and texts are Python's; with LiteRT's C API and a compiler."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from asr_qat.audio.decode import read_audio
from asr_qat.audio.front_end import (
    LEVELLED_FRONT_END,
    NEMO_FRONT_END,
    FrontEndConfig,
    log_mel,
    normalize,
)
from tests.conftest import SAMPLE_RATE, utterance
from tests.tones_fixtures import TEXT, tones_file
from tflite_export.runtime.metadata import read_metadata
from tflite_export.runtime.recogniser import TFLiteRecogniser

pytest_plugins = ["tests.export_fixtures", "tests.tones_fixtures"]
pytestmark = pytest.mark.long

EXAMPLE = Path(__file__).resolve().parents[1] / "examples/cpp"
LONGER = "ONE TWO THREE FOUR FIVE ONE TWO THREE FOUR FIVE ONE FOUR TWO THREE"


@pytest.fixture(scope="module")
def programs(tmp_path_factory) -> Path:
    """The folder of the compiled programs."""
    if not (shutil.which("make") and shutil.which("g++")):
        pytest.skip("needs make and g++")
    folder = tmp_path_factory.mktemp("cpp")
    command = ["make", "-C", str(EXAMPLE), f"PYTHON={sys.executable}", f"BUILD={folder}"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
    return folder


def run(*words: object) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([str(word) for word in words], capture_output=True)


@pytest.mark.parametrize(
    "config",
    [FrontEndConfig(), LEVELLED_FRONT_END, NEMO_FRONT_END, FrontEndConfig(mel_bins=64, hop_ms=12)],
    ids=["plain", "levelled", "nemo", "64 bins"],
)
def test_features(programs, tmp_path, tones_recording, config):
    rng = np.random.default_rng(0)
    mean, std = rng.normal(-7, 1, config.mel_bins), rng.uniform(1, 3, config.mel_bins)
    description = {"front_end": config.to_json(), "mean": mean.tolist(), "std": std.tolist()}
    path = tmp_path / "description.json"
    path.write_text(json.dumps(description))
    audio = read_audio(tones_recording, SAMPLE_RATE)
    expected = normalize(
        log_mel(audio, config), config, mean.astype(np.float32), std.astype(np.float32)
    )
    done = run(programs / "features", path, tones_recording)
    found = np.frombuffer(done.stdout, np.float32).reshape(-1, config.mel_bins)
    assert done.returncode == 0 and len(found) > 80
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)


def test_texts(programs, tmp_path, tones_recording):
    """Of a recording, and of one that is longer than the longest signature."""
    model = tones_file("ctc")
    longer = tmp_path / "longer.wav"
    soundfile.write(longer, utterance(LONGER.split(), 5), SAMPLE_RATE)
    device = TFLiteRecogniser(model)
    for recording in (tones_recording, longer):
        done = run(programs / "transcribe", model, recording)
        assert done.returncode == 0, done.stderr
        assert done.stdout.decode().strip() == device.transcribe(recording)
    assert run(programs / "transcribe", model, tones_recording).stdout.decode().strip() == TEXT


@pytest.mark.parametrize(
    ("model", "recording", "said"),
    [
        ("none.tflite", "tones.wav", "none.tflite failed with LiteRT's status"),
        ("transducer", "tones.wav", "a transducer, no CTC model"),
        ("live", "tones.wav", "takes CTC models of whole utterances"),
        ("ctc", "other.wav", "expected one channel of 16 bits at 16000 Hz"),
        ("ctc", "none.wav", "none.wav: no WAV file"),
    ],
)
def test_what_it_does_not_take_is_one_line(
    programs, tmp_path, tones_recording, model, recording, said
):
    soundfile.write(tmp_path / "other.wav", np.zeros(8000), 8000)
    shutil.copy(tones_recording, tmp_path / "tones.wav")
    path = tmp_path / model if model.endswith(".tflite") else tones_file(model)
    done = run(programs / "transcribe", path, tmp_path / recording)
    assert done.returncode == 1
    (line,) = [line for line in done.stderr.decode().splitlines() if line.startswith("error: ")]
    assert said in line


def test_an_older_litert_is_one_line(exported, tmp_path):
    """The version that it is built with is compared with the one that the file asks for."""
    if not (shutil.which("make") and shutil.which("g++")):
        pytest.skip("needs make and g++")
    options = (f"PYTHON={sys.executable}", f"BUILD={tmp_path}", "VERSION=2.1.1")
    target = str(tmp_path / "transcribe")
    assert run("make", "-C", EXAMPLE, *options, target).returncode == 0
    done = run(target, exported("w2a8"), tmp_path / "none.wav")
    least = read_metadata(exported("w2a8")).least_runtime
    assert f"needs LiteRT {least} or later, this is 2.1.1" in done.stderr.decode()
    done = run(target, exported("w4a8"), tmp_path / "none.wav")
    assert "needs LiteRT" not in done.stderr.decode()
