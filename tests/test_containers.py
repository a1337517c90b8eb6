"""Headers that lie, damaged pages and frames, odd names: refused, or said."""

import io
import os
import re
import struct
import time

import numpy as np
import pytest
import soundfile
from hypothesis import example, given
from hypothesis import strategies as st

from asr_qat import notices
from asr_qat.audio.containers.flac_frames import last_sample, stream_info
from asr_qat.audio.containers.mpeg_frames import count_frames
from asr_qat.audio.containers.ogg_pages import page_checksum
from asr_qat.audio.decode import read_audio
from asr_qat.audio.heard import AudioBytes
from asr_qat.errors import UserError

pytestmark = pytest.mark.runtime
SAMPLES = 8000
PLAIN = ["WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "NIST", "CAF"]


def encoded(form: str, subtype: str | None = None, samples=SAMPLES, rate=16000, channels=1):
    pcm = np.random.default_rng(0).integers(-9000, 9000, (samples, channels), dtype=np.int16)
    file = io.BytesIO()
    soundfile.write(file, pcm / 32768, rate, format=form, subtype=subtype)
    return file.getvalue()


def read(content: bytes) -> np.ndarray:
    return read_audio(AudioBytes(content, "a.audio"))


def refusal(content: bytes) -> str:
    with pytest.raises(UserError) as caught:
        read(content)
    message = str(caught.value)
    assert message.startswith("a.audio: ") and "\n" not in message
    return message


@pytest.fixture
def said(caplog):
    """What reading says, one line at most."""

    def said(content: bytes) -> str:
        notices.forget()
        caplog.clear()
        read(content)
        assert len(caplog.messages) <= 1
        return "".join(caplog.messages)

    return said


@pytest.mark.parametrize("form", [*PLAIN, "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("channels", [1, 2])
def test_nothing_is_said_of_valid_files(said, form, channels):
    message = said(encoded(form, channels=channels))
    assert "contradicts" not in message and bool(message) == (channels == 2)


@pytest.mark.parametrize("form", [*PLAIN, "FLAC", "OGG"])
@pytest.mark.parametrize("samples", [4000, 4001])
def test_nothing_is_said_of_any_encoding(said, form, samples):
    for subtype in soundfile.available_subtypes(form):
        if not subtype.startswith(("MPEG", "DWVW")):  # cannot be written so
            assert not said(encoded(form, subtype, samples)), subtype


@pytest.mark.parametrize("form", PLAIN)
def test_bytes_after_the_samples_are_said(said, form):
    content = encoded(form)
    assert re.search(r"contradicts itself: .*20 bytes are no", said(content + bytes(20)))
    middle = len(content) - 1000
    assert "contradicts itself" in said(content[:middle] + b"12345678" + content[middle:])


@pytest.mark.parametrize(
    ("at", "value", "reason"),
    [
        (40, 1000, "its last 15000 bytes are no chunk, and are not read"),
        (4, 1000, "its header says that it ends after 1008 of 16044 bytes"),
        (28, 31999, "31999 bytes a second, but 16000 samples of 2 bytes"),
    ],
)
def test_wav_whose_header_lies(said, at, value, reason):
    content = bytearray(encoded("WAV"))
    content[at : at + 4] = struct.pack("<I", value)
    assert f"contradicts itself: {reason}" in said(bytes(content))


def test_wav_in_an_encoding_of_other_bits():
    content = bytearray(encoded("WAV"))
    content[34:36] = struct.pack("<H", 24)
    with pytest.raises(UserError):
        read(bytes(content[:-1000]))


def test_aiff_whose_count_lies():
    content = bytearray(encoded("AIFF"))
    at = content.index(b"COMM") + 10
    assert content[at : at + 4] == struct.pack(">I", SAMPLES)
    content[at : at + 4] = struct.pack(">I", SAMPLES // 2)
    assert len(read(bytes(content))) == SAMPLES
    content[at : at + 4] = struct.pack(">I", 2 * SAMPLES)
    assert "cut short" in refusal(bytes(content))


def test_sphere_whose_count_lies(said):
    content = encoded("NIST")
    count = b"sample_count -i 8000"
    assert content.count(count) == 1
    assert "cut short" in refusal(content.replace(count, b"sample_count -i 8001"))
    fewer = said(content.replace(count, b"sample_count -i 7000"))
    assert "its last 2000 bytes are none of its samples" in fewer


def flac_with_total(content: bytes, total: int, md5: bool = True) -> bytes:
    changed = bytearray(content)
    changed[21] = changed[21] & 0xF0 | total >> 32
    changed[22:26] = (total & 0xFFFFFFFF).to_bytes(4, "big")
    changed[26:42] = changed[26:42] if md5 else bytes(16)
    return bytes(changed)


def test_flac_whose_total_lies():
    content = encoded("FLAC")
    for md5 in (True, False):
        assert "cut short" in refusal(flac_with_total(content, SAMPLES + 1, md5))
        assert "cut short" in refusal(flac_with_total(content, (1 << 36) - 1, md5))
        few = refusal(flac_with_total(content, SAMPLES // 2, md5))
        assert few.endswith("its header says 4000 samples, its last frame 8000: copy it again")
        assert len(read(flac_with_total(content, 0, md5))) == SAMPLES
    whole = flac_with_total(content, 0, md5=False)
    assert "a.audio: " in refusal(whole[: len(whole) // 2])


@pytest.mark.parametrize("subtype", ["PCM_S8", "PCM_16", "PCM_24"])
@pytest.mark.parametrize("channels", [1, 3])
def test_samples_of_flac_have_their_checksum(subtype, channels):
    content = encoded("FLAC", subtype, samples=5000, channels=channels)
    assert len(read(content)) == 5000
    wrong = bytearray(content)
    wrong[30] ^= 1  # of the checksum
    assert "damaged: its checksum is of other samples" in refusal(bytes(wrong))
    assert len(read_audio(AudioBytes(bytes(wrong), "a"), duration=0.1)) == 1600


def test_flac_with_a_frame_less():
    """Without a checksum of all samples, too: the last frame knows its number."""
    content = flac_with_total(encoded("FLAC", samples=20000), 0, md5=False)
    header = content[content.index(b"\xff\xf8") :][:4]
    second, third = (m.start() for m in list(re.finditer(re.escape(header), content))[1:3])
    assert "damaged" in refusal(content[:second] + content[third:])


@given(st.integers(1, 20000))
@example(2441)  # whose checksum ends with 0
def test_the_last_frame_of_flac_knows_the_length(samples):
    content = encoded("FLAC", samples=samples)
    file = io.BytesIO(content)
    assert last_sample(file, stream_info(file)) == samples
    # Without a last byte of 0 the checksum is still right: that byte is the end of it, not sound.
    expected = None if content[-1] else samples
    assert last_sample(io.BytesIO(content[:-1]), stream_info(file)) == expected


@pytest.mark.parametrize("subtype", ["VORBIS", "OPUS"])
def test_pages_of_ogg(said, subtype):
    content = encoded("OGG", subtype, samples=80000)
    starts = [m.start() for m in re.finditer(b"OggS", content)]
    assert len(starts) > 3
    changed = bytearray(content)
    changed[(starts[2] + starts[3]) // 2] ^= 16
    assert "the page at byte" in refusal(bytes(changed))
    without = content[: starts[2]] + content[starts[3] :]
    assert "pages are missing or repeated" in refusal(without)
    twice = content[: starts[3]] + content[starts[2] :]
    assert "pages are missing or repeated" in refusal(twice)
    assert "cut short" in refusal(content[: starts[-1]])
    assert "no page at byte" in refusal(content + bytes(40))
    other = encoded("OGG", subtype, samples=5000)
    assert "several recordings one after the other" in said(content + other)


def test_the_checksum_of_a_page():
    """Bit by bit, as RFC 3533 describes it."""
    page = bytearray(np.random.default_rng(0).bytes(300))
    expected = 0
    for byte in page[:22] + bytes(4) + page[26:]:
        expected ^= byte << 24
        for _ in range(8):
            expected = (expected << 1 ^ (0x04C11DB7 if expected >> 31 else 0)) & 0xFFFFFFFF
    assert page_checksum(bytes(page)) == expected


def test_mp3_with_something_between_its_frames(said):
    content = encoded("MP3", samples=40000)
    middle = content.index(b"\xff\xf3", len(content) // 2)
    for junk in (b"a", b"\0"):
        changed = content[:middle] + junk * 300 + content[middle:]
        assert "300 bytes between its frames" in said(changed)
    fewer = bytearray(content)
    at = max(content.find(b"Xing"), content.find(b"Info")) + 8
    frames = int.from_bytes(content[at : at + 4], "big")
    fewer[at : at + 4] = (frames - 1).to_bytes(4, "big")
    assert f"says that {frames - 1} follow, but {frames} do" in said(bytes(fewer))
    assert "cut short" in refusal(content[: len(content) * 3 // 4])


def test_what_looks_like_many_frames_takes_no_time():
    """Each may be the beginning of one: they are looked for once."""
    started = time.perf_counter()
    count_frames(io.BytesIO(b"\xff\xfb\xf0\x00" * 300_000))
    assert time.perf_counter() - started < 5


@pytest.mark.parametrize("name", [b"a.raw", b"a.RAW", b"a.au", b"\xff\xfe.wav", b"\xe4.mp3", b"a"])
def test_names_do_not_matter(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    content = encoded("WAV")
    path.write_bytes(content)
    assert len(read_audio(path)) == SAMPLES
    path.write_bytes(b"RIFX"[::-1] + content[4:])
    with pytest.raises(UserError, match=f"{re.escape(str(path))}: not readable audio"):
        read_audio(path)


def test_bytes_of_a_file_that_is_called_raw(tmp_path):
    (tmp_path / "a.raw").write_bytes(encoded("FLAC"))

    class Member:
        def open(self):
            return (tmp_path / "a.raw").open("rb")

    assert len(read_audio(Member())) == SAMPLES


def test_a_name_that_no_file_can_have(tmp_path):
    with pytest.raises(UserError, match="xxx.wav: .*too long"):
        read_audio(tmp_path / ("x" * 300 + ".wav"))


@pytest.mark.parametrize("rate", [1, 1999, 768001, 2**31 - 1])
def test_rates_that_no_sound_has(rate):
    content = bytearray(encoded("AU"))
    content[16:20] = struct.pack(">I", rate)
    assert f"{rate:g} samples per second: expected 2000 to 768000" in refusal(bytes(content))


@pytest.mark.parametrize("offset", [-1.0, float("nan"), float("inf")])
def test_offsets_that_are_none(offset):
    with pytest.raises(UserError, match="a.audio: offset .*: expected seconds from 0 on"):
        read_audio(AudioBytes(encoded("WAV"), "a.audio"), offset=offset)
    if offset != 0:
        with pytest.raises(UserError, match="a.audio: duration .*: expected seconds from 0 on"):
            read_audio(AudioBytes(encoded("WAV"), "a.audio"), duration=offset)
