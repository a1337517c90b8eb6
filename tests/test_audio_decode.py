"""Recordings are read exactly, and every defect is one line that names the file."""

import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.audio.decode import read_audio
from asr_qat.errors import UserError

pytestmark = pytest.mark.runtime


def noise(samples: int, channels: int = 1) -> np.ndarray:
    shape = (samples, channels) if channels > 1 else (samples,)
    return np.random.default_rng(0).integers(-32768, 32767, shape, dtype=np.int16)


@pytest.fixture
def write(tmp_path):
    def write(name, audio, rate=16000, **options):
        path = tmp_path / name
        soundfile.write(path, audio, rate, **options)
        return path

    return write


def refusal(path) -> str:
    with pytest.raises(UserError) as caught:
        read_audio(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("format", ["WAV", "FLAC", "NIST"])
def test_lossless_formats_are_exact(write, format):
    pcm = noise(5000)
    audio = read_audio(write("a.audio", pcm, format=format, subtype="PCM_16"))
    assert audio.dtype == np.float32
    np.testing.assert_array_equal(audio, pcm / np.float32(32768))


def test_ogg(write):
    tone = 0.5 * np.sin(np.arange(16000) * 0.1)
    audio = read_audio(write("a.ogg", tone))
    assert audio.shape == (16000,)
    assert np.abs(audio - tone).mean() < 0.05


def test_loud_float_samples_stay_below_one(write):
    audio = read_audio(write("a.wav", np.array([2.0, -2.0, 0.5]), subtype="FLOAT"))
    assert audio.max() < 1.0
    assert audio.tolist()[1:] == [-1.0, 0.5]


def test_missing(tmp_path):
    assert "no such audio file" in refusal(tmp_path / "none.wav")


def test_folder(tmp_path):
    assert "no such audio file" in refusal(tmp_path)


def test_zero_bytes(tmp_path):
    path = tmp_path / "a.wav"
    path.touch()
    assert "empty" in refusal(path)


def test_zero_samples(write):
    assert "no samples" in refusal(write("a.wav", np.zeros(0)))


def test_not_a_number(write):
    path = write("a.wav", np.array([0.0, np.nan]), subtype="FLOAT")
    assert "not numbers" in refusal(path)


def test_wrong_rate_and_channels_name_the_mend(write):
    path = write("a.wav", noise(100, channels=2), rate=44100)
    message = refusal(path)
    assert "44100 Hz stereo, expected 16000 Hz mono" in message
    assert f"ffmpeg -i {path} -ar 16000 -ac 1 " in message


def test_wrong_rate_of_the_caller(write):
    path = write("a.wav", noise(100), rate=8000)
    assert len(read_audio(path, sample_rate=8000)) == 100
    assert "8000 Hz mono" in refusal(path)


@pytest.mark.parametrize("format", ["WAV", "FLAC", "NIST"])
def test_cut_short(write, format):
    path = write("a.audio", noise(20000), format=format, subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:-9000])
    refusal(path)


def test_unknown_length_in_the_header_is_no_defect(write):
    path = write("a.wav", noise(1000))
    content = bytearray(path.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"  # as ffmpeg writes to a pipe
    path.write_bytes(content)
    assert len(read_audio(path)) == 1000


@given(content=st.binary(min_size=1, max_size=200), start=st.sampled_from([b"", b"RIFF", b"fLaC"]))
def test_garbage_is_a_user_error(tmp_path_factory, content, start):
    path = tmp_path_factory.mktemp("garbage") / "a.wav"
    path.write_bytes(start + content)
    refusal(path)


def test_needs_no_tensorflow():
    code = (
        "import sys, asr_qat.audio.decode, asr_qat.text.tokenizer\n"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
