"""Recordings through PyAV (FFmpeg): M4A and AAC, WMA, AMR, and the sound of videos."""

import itertools
import math
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from asr_qat.audio.containers.structure import Structure, say_odd
from asr_qat.audio.unnamed import Unnamed
from asr_qat.errors import UserError, require

BEFORE_S = 0.5  # decoded before a segment: codecs need some frames to be right again
# Containers that say how long they are; of others FFmpeg guesses it from the bit rate.
TIMED = ("mov,mp4", "matroska", "asf", "avi")
# Whose times are exact, those of Matroska to 0.5 ms; others are decoded from the beginning.
SEEKABLE = ("mov,mp4", "matroska")
# Frames without a container, which FFmpeg looks for anywhere.
RAW = ("mp3", "aac", "ac3", "eac3", "dts", "loas")
SLACK_S = 0.25  # by which containers are wrong about their length: padding of codecs


class MediaFile:
    """The first audio stream of a container; as `asr_qat.audio.sound_file.SoundFile`.

    Args:
        file: a path, or the bytes of an encoded recording.
        name: for errors.
        structure: of its bytes.

    Attributes:
        sample_rate: samples per second.
        channels: how many.
        samples: None: containers know their length in rounded seconds.

    Raises:
        UserError: not a format that FFmpeg reads, damaged, or without sound.
    """

    samples: int | None = None

    def __init__(self, file: Path | BinaryIO, name: str, structure: Structure):
        self._name, self._structure = name, structure
        self._file = file.open("rb") if isinstance(file, Path) else file
        self._file.seek(0)
        try:
            # Nothing but these bytes: playlists name other files and addresses.
            options = {"protocol_whitelist": "none"}
            source = Unnamed(self._file)
            self._container = av.open(source, options=options, metadata_errors="replace")
        except av.FFmpegError as error:
            raise UserError(f"{name}: not readable audio ({error.strerror}): convert it") from None
        require(bool(self._container.streams.audio), f"{name}: has no sound")
        form = self._container.format.name
        if form in RAW and not structure.known:
            say_odd(name, f"does not begin as {form} does")
        self._stream = self._container.streams.audio[0]
        codec = self._stream.codec_context
        require(codec is not None, f"{name}: its sound has an encoding that FFmpeg lacks")
        self.sample_rate: int = codec.sample_rate
        self.channels: int = codec.channels

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        """Samples from `start` on, float32 `[samples, channels]`, in blocks.

        Raises:
            UserError: it ends before it should, or is damaged on the way.
        """
        at, end = 0, 0
        try:
            for at, block in self._decoded(start):
                end = at + len(block)
                if end > start:
                    yield block[max(0, start - at) :]
        except av.FFmpegError as error:
            raise UserError(
                f"{self._name}: damaged after {end} samples ({error.strerror})"
            ) from None
        self._check_end(end, began=end > 0 or start == 0)

    def close(self) -> None:
        """Close the container."""
        self._container.close()
        self._file.close()

    def _check_end(self, samples: int, began: bool) -> None:
        """Compare the samples with what was promised, if any were decoded."""
        beyond_s = samples / self.sample_rate - (declared_s := self._declared_s())
        if self._structure.cut or (began and beyond_s < -SLACK_S):
            raise UserError(f"{self._name}: cut short after {samples} samples: copy it again")
        if declared_s and beyond_s > SLACK_S:
            say_odd(self._name, f"it holds {beyond_s:.1f} s more than it says")

    def _declared_s(self) -> float:
        """Seconds that the container promises; 0 if it does not."""
        if not self._container.format.name.startswith(TIMED):
            return 0.0
        stream = self._stream
        if stream.duration:
            return float(stream.duration * stream.time_base)
        only_sound = len(self._container.streams) == 1  # a picture may go on after the sound
        return (self._container.duration or 0) / av.time_base if only_sound else 0.0

    def _decoded(self, start: int) -> Iterator[tuple[int, np.ndarray]]:
        """Decoded frames from before `start` on, each with the number of its first sample."""
        container, stream, rate = self._container, self._stream, self.sample_rate
        frames, at = container.decode(stream), 0
        before = start / rate - BEFORE_S
        if before > 0 and container.format.name.startswith(SEEKABLE):
            began = _time(next(frames, None))  # streams may begin at another time than they say
            container.seek(began + math.floor(before / stream.time_base), stream=stream)
            frames = container.decode(stream)
            next(frames, None)  # shorter than its time says: decoders drop their delay again
            first = next(frames, None)
            at = round((_time(first) - began) * stream.time_base * rate)
            frames = itertools.chain([first] if first else [], frames)
        resampler = av.AudioResampler(format="fltp")
        for decoded in frames:
            for frame in resampler.resample(decoded):
                block = frame.to_ndarray().T
                yield at, block
                at += len(block)


def _time(frame: av.AudioFrame | None) -> int:
    return (frame and frame.pts) or 0
