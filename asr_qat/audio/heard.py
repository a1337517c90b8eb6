"""Audio in whatever form a caller has it: a file, encoded bytes, or an array of samples."""

import dataclasses
import io
from pathlib import Path
from typing import BinaryIO

import numpy as np

from asr_qat.audio.decode import EncodedAudio, full_scale, read_audio, require_sound
from asr_qat.audio.resample import resampled
from asr_qat.errors import UserError, require

MOST_CHANNELS = 8  # of an array; what is longer is time


@dataclasses.dataclass(frozen=True)
class AudioBytes:
    """An encoded recording in memory, such as one that came through a pipe.

    Attributes:
        content: of the file that it would be.
        name: for errors.
    """

    content: bytes = dataclasses.field(repr=False)
    name: str

    def __str__(self) -> str:
        return self.name

    def open(self) -> BinaryIO:
        """The bytes as a file."""
        return io.BytesIO(self.content)


def heard(
    audio: str | Path | EncodedAudio | np.ndarray, sample_rate: int, own_rate: int | None = None
) -> np.ndarray:
    """The samples of a recording, float32 `[samples]` in [-1, 1].

    Args:
        audio: a file, an encoded recording, or samples: floats, or integers of which all values
            of their type are full scale; of several channels `[samples, channels]` or
            `[channels, samples]`, which are mixed down.
        sample_rate: samples per second that are wanted.
        own_rate: those that an array has, if others.

    Raises:
        UserError: what is no audio.
    """
    if isinstance(audio, (str, Path)):
        return read_audio(audio, sample_rate)
    if not isinstance(audio, np.ndarray):
        if hasattr(audio, "open"):
            return read_audio(audio, sample_rate)
        kind = type(audio).__name__
        raise UserError(f"audio of type {kind}: expected a file or an array, such as np.array")
    if own_rate is not None:
        require_sound(own_rate, 1, "audio")
    samples = one_channel(audio)
    if len(samples) == 0:
        return samples
    if own_rate is not None and own_rate != sample_rate:
        samples = np.concatenate(list(resampled([samples], own_rate, sample_rate)))
    return full_scale(samples, "audio", owned=samples is not audio)


def one_channel(audio: np.ndarray) -> np.ndarray:
    """Samples of any type and of several channels as float32 `[samples]`; see `heard`.

    Raises:
        UserError: what is no audio.
    """
    if not isinstance(audio, np.ndarray):
        raise UserError(f"audio of type {type(audio).__name__}: expected an array")
    return _mixed_down(_floats(audio))


def _floats(audio: np.ndarray) -> np.ndarray:
    """Floats as they are; integers, whose full scale is that of their type, in [-1, 1]."""
    if np.issubdtype(audio.dtype, np.floating):
        with np.errstate(over="ignore"):  # to infinity, which is said
            return audio.astype(np.float32, copy=False)
    if not np.issubdtype(audio.dtype, np.integer):
        raise UserError(f"audio of type {audio.dtype}: expected floats or integers")
    # Python's own integers, in which nobody records: at their full scale all sound is silence.
    require(
        audio.itemsize <= 4,
        f"audio of type {audio.dtype}: expected integers of up to 32 bits, of which all values are "
        "full scale: convert it, such as to int16",
    )
    limits = np.iinfo(audio.dtype)
    middle = (limits.max + 1) // 2 if limits.min == 0 else 0
    samples = audio.astype(np.float32)
    samples -= np.float32(middle)
    samples /= np.float32(limits.max + 1 - middle)
    return samples


def _mixed_down(audio: np.ndarray) -> np.ndarray:
    if audio.ndim == 1:
        return audio
    shape = list(audio.shape)
    channels = [axis for axis in range(audio.ndim) if shape[axis] <= MOST_CHANNELS]
    require(
        audio.ndim == 2 and len(channels) == 1,
        f"audio of shape {shape}: expected [samples], or one dimension more of up to "
        f"{MOST_CHANNELS} channels",
    )
    return np.ascontiguousarray(audio.mean(axis=channels[0], dtype=np.float32))
