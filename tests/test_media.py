"""M4A, videos and MP3 files without a table of contents: decoded as a whole, or refused."""

import sys

import numpy as np
import pytest
import soundfile

from asr_qat import notices
from asr_qat.audio.containers.mpeg_frames import count_frames
from asr_qat.audio.decode import read_audio
from asr_qat.errors import UserError

pytestmark = pytest.mark.runtime
RATE = 16000


def speech_like(seconds: float, rate: int = RATE) -> np.ndarray:
    """A tone that goes up, in bursts: MP3 of variable bit rate varies."""
    t = np.arange(round(seconds * rate)) / rate
    bursts = np.where(np.sin(2 * np.pi * t) > 0, 0.5, 0.001)
    return (bursts * np.sin(2 * np.pi * (200 + 100 * t) * t)).astype(np.float32)


def encode(path, audio, codec, rate=RATE, video=False, quality=None, **options):
    """Write one channel, with a black picture every second if it is a video."""
    av = pytest.importorskip("av")
    with av.open(str(path), "w", options=options) as container:
        sound = container.add_stream(codec, rate=rate, layout="mono")
        if quality is not None:
            sound.codec_context.flags |= 2  # AV_CODEC_FLAG_QSCALE: variable bit rate
            sound.codec_context.global_quality = 118 * quality
        if video:
            picture = container.add_stream("mpeg4", rate=1, width=16, height=16, pix_fmt="yuv420p")
            for _ in range(len(audio) // rate):
                black = av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))
                container.mux(picture.encode(black))
            container.mux(picture.encode(None))
        for at in range(0, len(audio), 1024):
            block = np.ascontiguousarray(audio[None, at : at + 1024])
            integers = codec == "flac"
            block = (block * 32767).astype(np.int16) if integers else block
            form = "s16" if integers else "fltp"
            frame = av.AudioFrame.from_ndarray(block, format=form, layout="mono")
            frame.sample_rate, frame.pts = rate, at
            container.mux(sound.encode(frame))
        container.mux(sound.encode(None))
    return path


def assert_alike(found, expected):
    """The same bursts at the same places, to some 10 ms: codecs are lossy, and some add silence."""
    assert abs(len(found) - len(expected)) < 0.1 * RATE
    blocks = min(len(found), len(expected)) // 320
    loud, wanted = (
        np.abs(x[: 320 * blocks]).reshape(-1, 320).max(1) > 0.2 for x in (found, expected)
    )
    assert (loud != wanted).sum() <= 2 * 12
    assert 0.3 < wanted.mean() < 0.7


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.m4a", {"codec": "aac"}),
        ("a.mp4", {"codec": "aac", "video": True}),
        ("a.mkv", {"codec": "aac", "rate": 44100}),
        ("a.webm", {"codec": "libopus", "rate": 48000}),
    ],
)
def test_containers(tmp_path, name, options):
    rate = options.get("rate", RATE)
    path = encode(tmp_path / name, speech_like(6, rate), **options)
    whole = speech_like(6)
    assert_alike(read_audio(path), whole)
    assert_alike(read_audio(path, offset=2.5, duration=2), whole[40_000:72_000])
    with pytest.raises(UserError, match=f"{path}: offset 60 s is beyond its end"):
        read_audio(path, offset=60)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match=f"{path}: "):
        read_audio(path)


def test_a_cut_file_that_says_its_length_at_its_beginning(tmp_path):
    path = encode(tmp_path / "a.m4a", speech_like(6), "aac", movflags="faststart")
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="damaged after|cut short after"):
        read_audio(path)


def test_a_picture_alone(tmp_path):
    av = pytest.importorskip("av")
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        picture = container.add_stream("mpeg4", rate=1, width=16, height=16, pix_fmt="yuv420p")
        container.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((16, 16, 3), np.uint8))))
        container.mux(picture.encode(None))
    with pytest.raises(UserError, match=f"{path}: has no sound"):
        read_audio(path)


def test_a_playlist_reads_no_other_file(tmp_path):
    pytest.importorskip("av")
    secret = encode(tmp_path / "secret.aac", speech_like(1), "aac")
    path = tmp_path / "a.m3u8"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{secret}\n")
    with pytest.raises(UserError, match=f"{path}: not readable audio"):
        read_audio(path)


def test_without_pyav_its_extra_is_named(tmp_path, monkeypatch):
    path = encode(tmp_path / "a.m4a", speech_like(1), "aac")
    monkeypatch.setitem(sys.modules, "asr_qat.audio.media_file", None)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(UserError, match=r"a.m4a: not readable.*pip install 'asr-qat\[media\]'"):
        read_audio(path)


@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        ("a.m4a", "aac", 44100),
        ("a.mkv", "aac", 48000),
        ("a.webm", "libopus", 16000),  # begins at another time than its header says
    ],
)
def test_segments_begin_where_they_are_said_to(tmp_path, name, codec, rate):
    path = encode(tmp_path / name, speech_like(6, rate), codec, rate=rate)
    whole, part = read_audio(path), read_audio(path, offset=3.0, duration=1)
    lags = range(-400, 401)
    alike = [part @ whole[48_000 + lag : 64_000 + lag] for lag in lags]
    assert abs(lags[int(np.argmax(alike))]) <= 0.001 * RATE


@pytest.mark.parametrize("silence_first", [True, False])
def test_mp3_without_a_table_of_contents(tmp_path, monkeypatch, silence_first):
    """libsndfile guesses the length from the first frames, and stops there."""
    parts = [np.zeros(4 * RATE, np.float32), speech_like(6)]
    audio = np.concatenate(parts if silence_first else parts[::-1])
    path = encode(tmp_path / "a.mp3", audio, "libmp3lame", quality=4, write_xing="0")
    guess = soundfile.info(path).frames
    assert (guess > 1.1 * len(audio)) == silence_first
    assert (guess < 0.8 * len(audio)) != silence_first
    assert abs(len(read_audio(path)) - len(audio)) < 0.2 * RATE
    monkeypatch.setitem(sys.modules, "asr_qat.audio.media_file", None)
    if not silence_first:
        with pytest.raises(UserError, match="an MP3 file of .* samples that says .*media"):
            read_audio(path)


def test_joined_mp3_files(tmp_path):
    """The first one's table of contents is not that of all."""
    pytest.importorskip("av")
    path = tmp_path / "a.mp3"
    soundfile.write(path, speech_like(3), RATE)
    path.write_bytes(2 * path.read_bytes())
    assert abs(len(read_audio(path)) - 6 * RATE) < 0.2 * RATE


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 44100, 48000])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_frames_of_mp3_are_counted(tmp_path, rate, mode):
    path = tmp_path / "a.mp3"
    soundfile.write(path, speech_like(3, rate), rate, bitrate_mode=mode)
    content = path.read_bytes()
    with path.open("rb") as file:
        found = count_frames(file)
    assert found.complete
    assert 0 <= found.samples - 3 * rate < 3 * 1152
    path.write_bytes(
        b"ID3\x04\x00\x00\x00\x00\x02\x01" + bytes(257) + content + b"TAG" + bytes(125)
    )
    with path.open("rb") as file:
        assert count_frames(file).samples == found.samples
    path.write_bytes(content[: len(content) // 2])
    with path.open("rb") as file:
        half = count_frames(file)
    assert half.samples < 0.7 * found.samples


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.mkv", "flac"), ("a.aac", "aac")])
def test_bytes_too_many_or_too_few(tmp_path, caplog, name, codec):
    """FFmpeg goes on behind them as if nothing were."""
    path = encode(tmp_path / name, speech_like(2), codec)
    content = path.read_bytes()
    read_audio(path)
    assert not caplog.messages
    at = 2 * len(content) // 3
    path.write_bytes(content[:at] + bytes(50) + content[at:])
    assert said_or_refused(path, caplog)
    path.write_bytes(content[:at] + content[at + 50 :])
    assert said_or_refused(path, caplog)
    path.write_bytes(content[:-1])
    with pytest.raises(UserError, match=f"{path}: "):
        read_audio(path)


def test_aac_after_a_tag(tmp_path, caplog):
    """As pieces of streams have it: no MP3 file without frames."""
    path = encode(tmp_path / "a.aac", speech_like(2), "aac")
    plain = read_audio(path)
    content = b"ID3\x04\0\0\0\0\0\x0a" + bytes(10) + path.read_bytes()
    path.write_bytes(content)
    np.testing.assert_array_equal(read_audio(path), plain)
    assert not caplog.messages
    path.write_bytes(content[:-1])
    with pytest.raises(UserError, match="damaged|cut short"):
        read_audio(path)


def test_layer_2(tmp_path, caplog):
    """MP2, of broadcasts, has frames that are not those of MP3."""
    audio = speech_like(2)
    path = encode(tmp_path / "a.mp2", audio, "mp2")
    assert_alike(read_audio(path), audio)
    assert not caplog.messages


def said_or_refused(path, caplog) -> bool:
    notices.forget()
    caplog.clear()
    try:
        read_audio(path)
    except UserError as error:
        return str(error).startswith(f"{path}: ")
    return "contradicts itself" in "".join(caplog.messages)
