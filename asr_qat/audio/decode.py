"""Reading recordings, or parts of them: any format, rate and number of channels."""

import contextlib
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol

import numpy as np

from asr_qat.audio.containers.find import structure_of
from asr_qat.audio.containers.structure import say_odd
from asr_qat.audio.resample import mixed_down, resampled
from asr_qat.audio.sound_file import SoundFile, Unread
from asr_qat.bounds import MOST_RATE
from asr_qat.errors import UserError, require
from asr_qat.notices import notice

if TYPE_CHECKING:
    from asr_qat.audio.media_file import MediaFile

# Of files that are taken for recordings where a folder is given.
AUDIO_SUFFIXES = frozenset(
    ".wav .flac .ogg .oga .opus .sph .mp3 .aif .aiff .au .caf .w64 "
    ".m4a .aac .mka .mp4 .m4v .mov .mkv .webm .avi .wma .amr .3gp".split()
)
KNOWN_SUFFIXES = " ".join(sorted(AUDIO_SUFFIXES))  # in messages
LEAST_RATE = 2000  # samples per second: below this, or above `MOST_RATE`, is no sound but damage
MOST_CHANNELS = 256
TRUSTED_SAMPLES = 1 << 26  # 70 minutes at 16 kHz: no more are reserved because a header says so
ROUNDING_S = 0.01  # manifests round durations: a segment that ends so near the end ends there
_CHANNELS = {1: "mono", 2: "stereo"}


def is_audio(path: Path) -> bool:
    """Whether the name of a file is that of a recording."""
    return path.suffix.lower() in AUDIO_SUFFIXES


def recordings_below(folder: Path) -> list[Path]:
    """All recordings in a folder and below, by their names."""
    return [path for path in sorted(folder.rglob("*")) if is_audio(path)]


class EncodedAudio(Protocol):
    """A recording that is not a file of its own, such as a member of an archive.

    `str()` of it names it in errors.
    """

    def open(self) -> BinaryIO:
        """Its bytes, seekable; the reader closes them."""


def read_audio(
    source: str | Path | EncodedAudio,
    sample_rate: int = 16000,
    offset: float = 0.0,
    duration: float | None = None,
) -> np.ndarray:
    """Read one recording, or a segment of it, resampled and mixed down where it has to be.

    Args:
        source: an audio file, or an encoded recording in something else.
        sample_rate: samples per second that are wanted.
        offset: seconds before the segment.
        duration: seconds of the segment; None to read to the end, as do durations that go
            beyond it.

    Returns:
        float32 `[samples]` in [-1, 1]. Recordings that exceed full scale are scaled down to it.

    Raises:
        UserError: the recording is missing, empty, damaged, cut short, or ends before `offset`.
    """
    require(0 <= offset < math.inf, f"{source}: offset {offset:g} s: expected seconds from 0 on")
    good = duration is None or 0 <= duration < math.inf
    require(good, f"{source}: duration {duration} s: expected seconds from 0 on")
    with _opened(source) as (file, name), contextlib.closing(_recording(file, name)) as recording:
        rate = recording.sample_rate
        require_sound(rate, recording.channels, name)
        start = round(offset * rate)
        left = None if recording.samples is None else recording.samples - start
        wanted = None if duration is None else max(1, round(duration * rate))
        if wanted and left is not None and abs(left - wanted) <= ROUNDING_S * rate:
            wanted = None
        if left is not None and left <= 0 < start:
            raise UserError(
                f"{name}: offset {offset:g} s, but it lasts {(left + start) / rate:g} s"
            )
        if recording.channels != 1 or rate != sample_rate:
            layout = _CHANNELS.get(recording.channels, f"{recording.channels}-channel")
            notice("resampled", f"{name}: {rate} Hz {layout}, taken as {sample_rate} Hz mono")
        blocks = mixed_down(_first(recording.blocks(start), wanted))
        size = min(n for n in (left, wanted, 1 << 62) if n is not None)
        expected = 0 if size == 1 << 62 else size * sample_rate // rate + 1
        audio = _joined(resampled(blocks, rate, sample_rate), min(expected, TRUSTED_SAMPLES))
    if len(audio) == 0 and offset:
        raise UserError(f"{name}: offset {offset:g} s is beyond its end")
    require(len(audio) > 0, f"{name}: no samples: record or copy it again")
    return full_scale(audio, name, owned=True)


@contextlib.contextmanager
def _opened(source: str | Path | EncodedAudio) -> Iterator[tuple[Path | BinaryIO, str]]:
    """What libraries read from, and a name for errors."""
    try:
        if not isinstance(source, (str, Path)):
            with source.open() as file:
                yield file, str(source)
            return
        path = Path(source)
        require(path.is_file(), f"{path}: no such audio file")
        require(path.stat().st_size > 0, f"{path}: empty file: record or copy it again")
        yield path, str(path)
    except OSError as error:  # a name too long, a disk that fails: one recording, not all
        raise UserError(f"{source}: {error.strerror or error}") from None


def _recording(file: Path | BinaryIO, name: str) -> "SoundFile | MediaFile":
    with _bytes_of(file) as encoded:
        structure, usual = structure_of(encoded)
    require(not structure.damage, f"{name}: damaged: {structure.damage}: copy it again")
    if structure.odd:
        say_odd(name, structure.odd)
    unread = "no format that is known"
    if usual:
        try:
            return SoundFile(file, name, structure)
        except Unread as reason:
            unread = str(reason)
    try:
        from asr_qat.audio.media_file import MediaFile  # late: an extra
    except ModuleNotFoundError:
        raise UserError(
            f"{name}: not readable audio ({unread}): expected intact WAV, FLAC, NIST SPHERE, Ogg "
            "or MP3; M4A, videos and others need: pip install 'asr-qat[media]'"
        ) from None
    return MediaFile(file, name, structure)


@contextlib.contextmanager
def _bytes_of(file: Path | BinaryIO) -> Iterator[BinaryIO]:
    """The encoded recording from its beginning, before others read it."""
    if isinstance(file, Path):
        with file.open("rb") as opened:
            yield opened
        return
    yield file
    file.seek(0)


def require_sound(rate: float, channels: int, name: str) -> None:
    """Raise `UserError` for a sample rate or a number of channels that no sound has."""
    require(
        LEAST_RATE <= rate <= MOST_RATE,
        f"{name}: {rate:g} samples per second: expected {LEAST_RATE} to {MOST_RATE}: damaged?",
    )
    require(0 < channels <= MOST_CHANNELS, f"{name}: {channels} channels: damaged?")


def _first(blocks: Iterator[np.ndarray], count: int | None) -> Iterator[np.ndarray]:
    """Blocks of the first `count` samples, or all."""
    for block in blocks:
        if count is None:
            yield block
            continue
        yield block[:count]
        count -= len(block)
        if count <= 0:
            return


def _joined(blocks: Iterable[np.ndarray], expected: int) -> np.ndarray:
    """Blocks one after the other; an hour is not held twice, as by `np.concatenate`."""
    audio, filled = np.empty(expected, np.float32), 0
    for block in blocks:
        if filled + len(block) > len(audio):
            longer = np.empty(2 * (filled + len(block)), np.float32)
            longer[:filled] = audio[:filled]
            audio = longer
        audio[filled : filled + len(block)] = block
        filled += len(block)
    return audio[:filled]


def full_scale(audio: np.ndarray, name: str, owned: bool = False) -> np.ndarray:
    """Samples within [-1, 1]: louder ones are scaled down as a whole, and that is said once.

    Args:
        audio: float32 `[samples]`, at least one.
        name: for errors.
        owned: whether it may be written to.

    Raises:
        UserError: it holds what is no number.
    """
    peak = max(float(audio.max()), -float(audio.min()))
    require(np.isfinite(peak), f"{name}: holds samples that are not numbers: convert it again")
    if peak <= 1:
        return audio
    notice("scaled", f"{name}: samples up to {peak:.4g} times full scale: scaled down to it")
    return np.divide(audio, np.float32(peak), out=audio if owned else None)
