"""Recordings are read exactly, and every defect is one line that names the file."""

import io
import subprocess
import sys

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr_qat import notices
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


@pytest.mark.parametrize("rate", [16000, 48000])
def test_segments_of_mp3_are_those_of_the_whole(write, rate):
    """Its frames borrow bits from those before, which a seek passes over."""
    t = np.arange(6 * rate) / rate
    sweep = 0.3 * np.sin(2 * np.pi * (200 + 60 * t) * t) * (0.6 + 0.4 * np.sin(8 * t))
    path = write("a.mp3", sweep, rate)
    whole = read_audio(path)
    for offset in (0.25, 2.5, 4.0):
        part = read_audio(path, offset=offset, duration=1.0)
        expected = whole[int(offset * 16000) :][:16000]
        np.testing.assert_allclose(part[50:-50], expected[50:-50], atol=1e-3)


def test_samples_beyond_full_scale_are_scaled_and_said(write, caplog):
    """Not clipped: the form of the wave is as it was."""
    notices.forget()
    loud = np.array([2.0, -4.0, 0.5])
    for name in ("a.wav", "b.wav"):
        path = write(name, loud, subtype="FLOAT")
        np.testing.assert_array_equal(read_audio(path), (loud / 4).astype(np.float32))
    assert len(caplog.messages) == 1
    assert "a.wav: samples up to 4 times full scale: scaled down" in caplog.messages[0]


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


def sine(seconds: float, rate: int, hertz: float = 440.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype("f4")


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000])
def test_any_rate_is_resampled(write, rate):
    """Against the same sound computed at the wanted rate, longer than a block."""
    path = write("a.wav", sine(9.3, rate), rate=rate, subtype="FLOAT")
    audio, expected = read_audio(path), sine(9.3, 16000)
    assert abs(len(audio) - len(expected)) <= 1
    middle = slice(1000, len(expected) - 1000)
    assert np.abs(audio[middle] - expected[middle]).max() < 1e-4


def test_channels_are_mixed_down_and_it_is_said_once(write, caplog):
    notices.forget()
    pcm = noise(1000, channels=3)
    for name in ("a.wav", "b.wav"):
        audio = read_audio(write(name, pcm))
        np.testing.assert_allclose(audio, pcm.mean(axis=1) / 32768, atol=1e-7)
    (message,) = caplog.messages
    assert "a.wav: 16000 Hz 3-channel, taken as 16000 Hz mono" in message


@pytest.mark.parametrize("format", ["WAV", "FLAC", "NIST", "OGG"])
def test_segments_are_those_of_the_whole(write, format):
    path = write("a.audio", noise(160_000) // 4, format=format)
    whole = read_audio(path)
    for offset, duration in [(0.0, 1.0), (2.5, 3.25), (9.0, None), (1.0, 8.999)]:
        end = None if duration in (None, 8.999) else round((offset + duration) * 16000)
        part = read_audio(path, offset=offset, duration=duration)
        np.testing.assert_allclose(part, whole[round(offset * 16000) : end], atol=1e-6)


def test_a_segment_of_another_rate(write):
    path = write("a.wav", sine(6.0, 44100), rate=44100, subtype="FLOAT")
    part = read_audio(path, offset=2.0, duration=1.5)
    assert len(part) == 24000
    assert np.abs(part - sine(6.0, 16000)[32000:56000])[500:-500].max() < 1e-4


def test_a_segment_beyond_the_end(write):
    path = write("a.wav", noise(16000))
    with pytest.raises(UserError, match=f"{path}: offset 1.5 s, but it lasts 1 s"):
        read_audio(path, offset=1.5)
    assert len(read_audio(path, offset=0.75, duration=9)) == 4000


def test_encoded_audio_in_something_else(write):
    pcm = noise(3000)
    content = write("a.flac", pcm).read_bytes()

    class Member:
        def __str__(self):
            return "a.tar: b.flac"

        def open(self):
            return io.BytesIO(content)

    np.testing.assert_array_equal(read_audio(Member()), pcm / np.float32(32768))
    content = content[: len(content) // 2]
    with pytest.raises(UserError, match="a.tar: b.flac: "):
        read_audio(Member())


CONTAINERS = ["WAV", "FLAC", "NIST", "AIFF", "AU", "CAF", "W64", "RF64", "MP3", "OGG"]
OTHER_CODECS = [("OGG", "OPUS"), ("WAV", "ULAW"), ("WAV", "IMA_ADPCM")]


@pytest.mark.parametrize(
    ("format", "subtype"), [*((format, None) for format in CONTAINERS), *OTHER_CODECS]
)
def test_cut_short(write, format, subtype):
    path = write("a.audio", noise(100_000) // 4, format=format, subtype=subtype)
    assert len(read_audio(path)) >= 100_000
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 5])
    refusal(path)
    if format not in ("CAF", "FLAC"):  # a segment of what is there is whole
        assert len(read_audio(path, duration=0.1)) == 1600


def test_flac_of_unknown_length(write):
    """As encoders write it to a pipe."""
    pcm = noise(300_000)
    path = write("a.flac", pcm)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # total samples: 36 bits of STREAMINFO
    content[22:26] = bytes(4)
    path.write_bytes(content)
    np.testing.assert_array_equal(read_audio(path), pcm / np.float32(32768))
    part = read_audio(path, offset=5, duration=2)
    np.testing.assert_array_equal(part, pcm[80_000:112_000] / np.float32(32768))
    with pytest.raises(UserError, match="offset 30 s is beyond its end"):
        read_audio(path, offset=30)
    path.write_bytes(content[: len(content) // 2])
    assert "damaged after" in refusal(path)


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
