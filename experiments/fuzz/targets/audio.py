"""Recordings in all containers, changed in their headers, frames, pages and lengths."""

import os
from pathlib import Path
from typing import Any

import numpy as np

from asr_qat.audio.decode import read_audio
from asr_qat.audio.heard import AudioBytes, heard
from asr_qat.errors import UserError
from experiments.fuzz import mutations, recordings
from experiments.fuzz.mutations import Chance
from experiments.fuzz.recordings import RATE, Recording
from experiments.fuzz.said import listening
from experiments.fuzz.verdict import Verdict

ARRAYS = 0.05  # share of cases
# What libraries take as a sign of a format, and names that no text holds.
_NAMES = [b"a.raw", b"a.au", b"a.vox", b"a.wav", b"a", b"a b.mp3", b"\xff\xfe.flac", b"\xe4.wav"]

State = dict[str, Recording]


def prepare(folder: Path) -> State:
    """Valid recordings."""
    return recordings.make(folder)


def attempt(state: State, chance: Chance, folder: Path) -> Verdict:
    """A changed recording from a file or from bytes, or an odd array."""
    if chance.random() < ARRAYS:
        return _array(state, chance)
    names = list(state)
    recording = state[names[chance.integers(len(names))]]
    content = _changed(recording, state, chance)
    path = folder / os.fsdecode(_name(recording, chance))
    path.write_bytes(content)
    source = path if chance.random() < 0.8 else AudioBytes(content, str(path))
    with listening() as said:
        try:
            found = read_audio(source, RATE)
        except UserError as error:
            named = str(path) in str(error) and "\n" not in str(error)
            assert named, f"not a line that names the file: {error}"
            return Verdict.REFUSED
    right = (
        _lacks_frames(content, recording)
        or np.array_equal(found, recording.samples)
        or len(said) > recording.said
    )
    return Verdict.SAME if right else Verdict.DIFFERENT


def _lacks_frames(content: bytes, recording: Recording) -> bool:
    """Whether as many bytes as some frames have are gone in one place, and nothing else."""
    same = len(os.path.commonprefix([content, recording.content]))
    return len(content) in recording.ends and recording.content.endswith(content[same:])


def _changed(recording: Recording, state: State, chance: Chance) -> bytes:
    """Its bytes after one of the changes."""
    content, places = recording.content, recording.places
    kind = chance.integers(10)
    if kind < 3:
        return mutations.flip(content, chance, places)
    if kind < 5:
        return mutations.overwrite(content, chance, places)
    if kind < 9:
        change = (mutations.cut, mutations.remove, mutations.insert, mutations.repeat)[kind - 5]
        return change(content, chance)
    others = list(state.values())
    other = others[chance.integers(len(others))].content
    rare = [
        content + (b"" if recording.ends else other),
        mutations.cut(content, chance) + other,
        content[: chance.integers(1, 64)] + chance.bytes(200),
        chance.bytes(int(chance.integers(1, 300))),
        b"#EXTM3U\n/etc/passwd\n",
        b"",
    ]
    return rare[chance.integers(len(rare))]


def _name(recording: Recording, chance: Chance) -> bytes:
    if chance.random() < 0.7:
        return b"a" + recording.suffix.encode()
    return _NAMES[chance.integers(len(_NAMES))]


def _array(state: State, chance: Chance) -> Verdict:
    """Samples of any type and shape, some of which are no numbers: refused, or finite."""
    samples = state["wav16"].samples
    types = [np.int16, np.int32, np.uint8, np.float16, np.float64, np.int64, bool, complex, object]
    shape = [(-1,), (-1, 1), (1, -1), (2, -1), (-1, 2), (0,), (0, 2), (80, -1), (-1, 1, 2)]
    audio = samples[: int(chance.integers(1, len(samples) // 80)) * 80]
    audio = (audio * 10 ** chance.uniform(-3, 4)).astype(types[chance.integers(len(types))])
    size = shape[chance.integers(len(shape))]
    audio = audio[:0].reshape(size) if 0 in size else audio.reshape(size)
    if np.issubdtype(audio.dtype, np.floating) and audio.size and chance.random() < 0.5:
        bad = [np.nan, np.inf, -np.inf, np.finfo(audio.dtype).max]
        audio.flat[chance.integers(audio.size)] = bad[chance.integers(len(bad))]
    rates: list[Any] = [None, RATE, 8000, 0, -1, 2**31, float("nan"), float("inf")]
    found = heard(audio, RATE, rates[chance.integers(len(rates))])
    good = found.ndim == 1 and found.dtype == np.float32 and bool(np.all(np.abs(found) <= 1))
    return Verdict.SAME if good else Verdict.DIFFERENT
