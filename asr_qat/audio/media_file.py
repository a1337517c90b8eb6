"""Recordings through PyAV (FFmpeg): M4A and AAC, WMA, AMR, and the sound of videos."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np

from asr_qat.errors import UserError, require

BEFORE_S = 0.5  # decoded before a segment: codecs need some frames to be right again
# Containers that say how long they are; of others FFmpeg guesses it from the bit rate.
TIMED = ("mov,mp4", "matroska", "asf", "avi")
SEEKABLE = ("mov,mp4", "matroska")  # whose times are exact; others are decoded from the beginning
SLACK_S = 0.25  # by which containers are wrong about their length: padding of codecs


class MediaFile:
    """The first audio stream of a container; as `asr_qat.audio.sound_file.SoundFile`.

    Args:
        file: a path, or the bytes of an encoded recording.
        name: for errors.

    Attributes:
        sample_rate: samples per second.
        channels: how many.
        samples: None: containers know their length in rounded seconds.

    Raises:
        UserError: not a format that FFmpeg reads, damaged, or without sound.
    """

    samples: int | None = None

    def __init__(self, file: Path | BinaryIO, name: str):
        self._name = name
        self._file = file.open("rb") if isinstance(file, Path) else file
        self._file.seek(0)
        try:
            # Nothing but these bytes: playlists name other files and addresses.
            self._container = av.open(self._file, options={"protocol_whitelist": "none"})
        except av.FFmpegError as error:
            raise UserError(f"{name}: not readable audio ({error.strerror}): convert it") from None
        require(bool(self._container.streams.audio), f"{name}: has no sound")
        self._stream = self._container.streams.audio[0]
        self.sample_rate: int = self._stream.codec_context.sample_rate
        self.channels: int = self._stream.codec_context.channels

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
        began = end > 0 or start == 0
        if began and end / self.sample_rate + SLACK_S < self._declared_s():
            raise UserError(f"{self._name}: cut short after {end} samples: copy it again")

    def close(self) -> None:
        """Close the container."""
        self._container.close()
        self._file.close()

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
        stream, rate = self._stream, self.sample_rate
        began = stream.start_time or 0
        before = start / rate - BEFORE_S
        seeks = before > 0 and self._container.format.name.startswith(SEEKABLE)
        if seeks:
            self._container.seek(began + math.floor(before / stream.time_base), stream=stream)
        resampler = av.AudioResampler(format="fltp")
        at = None
        for decoded in self._container.decode(stream):
            if at is None:
                pts = decoded.pts or began
                at = round((pts - began) * stream.time_base * rate) if seeks else 0
            for frame in resampler.resample(decoded):
                block = frame.to_ndarray().T
                yield at, block
                at += len(block)
