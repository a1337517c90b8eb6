"""Recordings through libsndfile: WAV, FLAC, NIST SPHERE, Ogg Vorbis, Opus, MP3, AIFF, AU, CAF."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from asr_qat.errors import UserError

BLOCK_SAMPLES = 1 << 17  # of each channel, decoded together
UNKNOWN_WAV_BYTES = 0x7FFFF000  # writers to a pipe leave a length this large in the header
UNKNOWN_FRAMES = 1 << 62  # and none in that of FLAC: libsndfile has the largest integer then


class _Stream(soundfile.SoundFile):
    """Reads on from where it is.

    soundfile seeks to where each read should have ended, which fails at the end of a FLAC file of
    unknown length.
    """

    def seekable(self) -> bool:
        return False


class SoundFile:
    """One recording, open for reading.

    Args:
        file: a path, or the bytes of an encoded recording.
        name: for errors.

    Attributes:
        sample_rate: samples per second.
        channels: how many.
        samples: of each channel, as the header promises; None if it does not.

    Raises:
        LibsndfileError: not a format that libsndfile reads, or a damaged header.
    """

    def __init__(self, file: Path | BinaryIO, name: str):
        self._file = _Stream(file)
        self._name = name
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        readable = self._file.frames
        self.samples = None if readable >= UNKNOWN_FRAMES else readable
        declared = _declared_samples(file, self._file)
        if self.samples is not None:
            self.samples = max(self.samples, declared)

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        """Samples from `start` on, float32 `[samples, channels]`, in blocks.

        Raises:
            UserError: it ends before `samples` of them, or is damaged on the way.
        """
        at = start
        try:
            if start:
                self._file.seek(start)
            while True:
                block = self._file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)
                if not len(block):
                    break
                at += len(block)
                yield block
        except soundfile.LibsndfileError as error:
            reason = str(error.error_string).strip().rstrip(".")
            raise UserError(f"{self._name}: damaged after {at} samples ({reason})") from None
        if self.samples is not None and at < self.samples:
            raise UserError(f"{self._name}: cut short after {at} samples: copy it again")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _declared_samples(file: Path | BinaryIO, opened: soundfile.SoundFile) -> int:
    """Samples promised by the header; libsndfile shortens WAV and SPHERE without a word."""
    if opened.format == "NIST":
        declared = re.search(rb"sample_count -i (\d+)", _head(file, 1024))
        return int(declared[1]) if declared else 0
    lengths = re.search(r"^data : (\d+) \(should be (\d+)\)", opened.extra_info, re.MULTILINE)
    if lengths is None or int(lengths[1]) >= UNKNOWN_WAV_BYTES:
        return 0
    frame_bytes = re.search(r"Block Align\s*: (\d+)", opened.extra_info)
    return int(lengths[1]) // int(frame_bytes[1]) if frame_bytes else 0


def _head(file: Path | BinaryIO, size: int) -> bytes:
    if isinstance(file, Path):
        with file.open("rb") as opened:
            return opened.read(size)
    at = file.tell()
    file.seek(0)
    head = file.read(size)
    file.seek(at)
    return head
