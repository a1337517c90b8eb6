"""Small valid recordings in all containers, and which of their bytes a reader can check."""

import dataclasses
import io
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile

from asr_qat.audio.decode import read_audio
from experiments.fuzz.said import listening

RATE = 16000
SAMPLES = 6400


@dataclasses.dataclass(frozen=True)
class Recording:
    """A valid file.

    Attributes:
        suffix: of its name.
        content: its bytes.
        samples: what it is decoded to.
        said: how much is said of it as it is.
        places: bytes whose change can be noticed: not samples without a checksum, and no field
            that nothing else in the file depends on.
        ends: lengths of the file with fewer frames, which nobody would miss: nothing counts them.
    """

    suffix: str
    content: bytes
    samples: np.ndarray
    said: int
    places: np.ndarray
    ends: frozenset[int]


# Format, encoding, bytes of a sample in the file, bytes of its header that nothing can tell wrong:
# an encoding of as many bits.
_PLAIN = {
    "wav8": ("WAV", "PCM_U8", 1, range(20, 22)),
    "wav16": ("WAV", "PCM_16", 2, range(0)),
    "wav24": ("WAV", "PCM_24", 3, range(0)),
    "wav32": ("WAV", "PCM_32", 4, range(20, 22)),
    "wav_float": ("WAV", "FLOAT", 4, range(20, 22)),
    "wav_law": ("WAV", "ULAW", 1, range(20, 22)),
    "wavex": ("WAVEX", "PCM_16", 2, range(0)),
    "rf64": ("RF64", "PCM_16", 2, range(0)),
    "w64": ("W64", "PCM_16", 2, range(0)),
    "aiff": ("AIFF", "PCM_16", 2, range(0)),
    "au": ("AU", "PCM_16", 2, range(12, 16)),
    "nist": ("NIST", "PCM_16", 2, range(0)),
    "caf": ("CAF", "PCM_16", 2, range(32, 36)),
}
_KBPS = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SUFFIXES = {"nist": ".sph", "aiff": ".aiff", "au": ".au", "caf": ".caf", "w64": ".w64"}


class _Made(NamedTuple):
    """As `Recording`; without `places` all of its bytes are checked."""

    suffix: str
    content: bytes
    places: set[int] | None = None
    ends: Sequence[int] = ()


def make(folder: Path) -> dict[str, Recording]:
    """All of them, by name; each is read once."""
    sound = _sound()
    made = {}
    for name, (form, encoding, width, free) in _PLAIN.items():
        content = _written(sound, form, encoding)
        places = set(range(len(content) - SAMPLES * width)) - set(free)
        made[name] = _Made(_SUFFIXES.get(name, ".wav"), content, places)
    stereo = _written(np.stack([sound, sound[::-1]], axis=1), "WAV", "PCM_16", 44100)
    made["wav_stereo"] = _Made(".wav", stereo, set(range(44)))
    flac = _written(sound, "FLAC", "PCM_16")
    made["flac"] = _Made(".flac", flac)
    made["flac24"] = _Made(".flac", _written(sound, "FLAC", "PCM_24"))
    made["flac_pipe"] = _Made(".flac", _of_unknown_length(flac))
    made["vorbis"] = _Made(".ogg", _written(sound, "OGG", "VORBIS"))
    made["opus"] = _Made(".opus", _written(sound, "OGG", "OPUS"))
    mp3 = _written(sound, "MP3", "MPEG_LAYER_III")
    made["mp3"] = _Made(".mp3", mp3, _frame_headers(mp3))
    plain = mp3[_frame_starts(mp3)[1] :]  # without the frame that describes the others
    made["mp3_plain"] = _Made(".mp3", plain, _frame_headers(plain, 2), _lengths_of_fewer(plain))
    made |= _media(sound)
    return {name: _read(folder / name, about) for name, about in made.items()}


def _sound() -> np.ndarray:
    """Two tones, one after the other, over noise."""
    chance, at = np.random.default_rng(0), np.arange(SAMPLES) / RATE
    hertz = np.where(at < at[-1] / 2, 300, 1000)
    noise = 0.01 * chance.standard_normal(SAMPLES)
    return (0.4 * np.sin(2 * np.pi * hertz * at) + noise).astype(np.float32)


def _written(sound: np.ndarray, form: str, encoding: str, rate: int = RATE) -> bytes:
    file = io.BytesIO()
    soundfile.write(file, sound, rate, format=form, subtype=encoding)
    return file.getvalue()


def _of_unknown_length(flac: bytes) -> bytes:
    """As an encoder writes it to a pipe: neither a total nor a checksum of all samples."""
    content = bytearray(flac)
    content[21] &= 0xF0
    content[22:42] = bytes(20)
    return bytes(content)


def _frame_headers(mp3: bytes, size: int = 3) -> set[int]:
    """Sync and version of each frame, rate and size: the rest is not checked by anything.

    Where no frame says how many there are, a size may pass over a frame.
    """
    return {start + byte for start in _frame_starts(mp3) for byte in range(size)}


def _lengths_of_fewer(mp3: bytes) -> list[int]:
    """Of the file without some neighbouring frames."""
    ends = [*_frame_starts(mp3), len(mp3)]
    return [len(mp3) - (end - start) for start, end in itertools.combinations(ends, 2)]


def _frame_starts(mp3: bytes) -> list[int]:
    """Of MPEG 2, Layer III, at 16 kHz."""
    starts, at = [], 0
    while at + 4 <= len(mp3):
        starts.append(at)
        at += 72 * _KBPS[mp3[at + 2] >> 4] // 16 + (mp3[at + 2] >> 1 & 1)
    return starts


def _media(sound: np.ndarray) -> dict[str, _Made]:
    """What FFmpeg writes, if PyAV is installed."""
    try:
        import av
    except ModuleNotFoundError:
        return {}
    found = {}
    for name, codec in {"m4a": "aac", "mkv": "flac", "webm": "libopus"}.items():
        form = {"m4a": "mp4", "mkv": "matroska"}.get(name, name)
        file = io.BytesIO()
        with av.open(file, "w", format=form) as container:
            stream = container.add_stream(codec, rate=RATE, layout="mono")
            form = "s16" if codec == "flac" else "fltp"
            for at in range(0, SAMPLES, 1024):
                part = sound[None, at : at + 1024]
                part = (part * 32767).astype(np.int16) if codec == "flac" else part
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(part), form, "mono")
                frame.sample_rate, frame.pts = RATE, at
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        content = file.getvalue()
        found[name] = _Made(f".{name}", content, set(range(8)))  # what kind of file it is
    return found


def _read(path: Path, made: _Made) -> Recording:
    path = path.with_name(path.name + made.suffix)
    path.write_bytes(made.content)
    places = range(len(made.content)) if made.places is None else sorted(made.places)
    with listening() as said:
        samples = read_audio(path, RATE)
    ends = frozenset(made.ends)
    return Recording(made.suffix, made.content, samples, len(said), np.array(places), ends)
