"""Recordings through libsndfile: WAV, FLAC, NIST SPHERE, Ogg Vorbis, Opus, MP3, AIFF, AU, CAF."""

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from asr_qat.audio.mpeg_frames import count_frames
from asr_qat.errors import UserError

BLOCK_SAMPLES = 1 << 17  # of each channel, decoded together
UNKNOWN_BYTES = 0x7FFFF000  # writers to a pipe leave a length this large in the header
UNKNOWN_SAMPLES = 1 << 62  # and none in that of FLAC: libsndfile has the largest integer then
UNKNOWN_FORMATS = (1, 4)  # libsndfile's codes: of the container, of the encoding in it
MP3_SLACK = 2 * 1152  # samples that encoders add before and after the sound
MP3_BEFORE = 16 * 1152  # decoded before a segment: frames borrow bits and sound of those before

# Lines of libsndfile's log: a chunk's size in the header and in the file; Ogg without an end.
_SIZES = re.compile(
    r"^ *(?:data|Data Size|SSND|riff|Riff size) *: (\d+) \(should be (\d+)\)", re.MULTILINE
)
_NO_END = re.compile("lacks an end-of-stream bit")


class _Stream(soundfile.SoundFile):
    """Reads on from where it is.

    soundfile seeks to where each read should have ended, which fails at the end of a FLAC file of
    unknown length.
    """

    def seekable(self) -> bool:
        return False


class Unread(Exception):
    """libsndfile cannot read the recording, or not to its end: another decoder may."""


class SoundFile:
    """One recording, open for reading.

    Args:
        file: a path, or the bytes of an encoded recording.
        name: for errors.

    Attributes:
        sample_rate: samples per second.
        channels: how many.
        samples: of each channel, that can be read; None if the header does not say.

    Raises:
        Unread: not a format that libsndfile reads.
        UserError: a damaged header.
    """

    def __init__(self, file: Path | BinaryIO, name: str):
        try:
            # A path as bytes: soundfile takes no name that is not UTF-8 as text.
            self._file = _Stream(os.fsencode(file) if isinstance(file, Path) else file)
        except soundfile.LibsndfileError as error:
            reason = str(error.error_string).strip().rstrip(".") or "cannot be decoded"
            if error.code in UNKNOWN_FORMATS:
                raise Unread(reason) from None
            raise UserError(f"{name}: not readable audio ({reason}): copy it again") from None
        self._name = name
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.samples = None if self._file.frames >= UNKNOWN_SAMPLES else self._file.frames
        self._cut = _cut(file, self._file)
        if self._file.format == "MP3":
            self._check_mp3(file)

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        """Samples from `start` on, float32 `[samples, channels]`, in blocks.

        Raises:
            UserError: it ends before `samples` of them, or is damaged on the way.
        """
        at = start
        try:
            if start and not self._begins(start):
                return
            while True:
                block = self._file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)
                if not len(block):
                    break
                at += len(block)
                yield block
        except soundfile.LibsndfileError as error:
            reason = str(error.error_string).strip().rstrip(".")
            raise UserError(f"{self._name}: damaged after {at} samples ({reason})") from None
        if self._cut or (self.samples is not None and at < self.samples):
            raise UserError(f"{self._name}: cut short after {at} samples: copy it again")

    def _begins(self, start: int) -> bool:
        """Seek; whether there is such a sample, in a file of unknown length."""
        before = min(start, MP3_BEFORE) if self._file.format == "MP3" else 0
        try:
            self._file.seek(start - before)
            self._file.read(before, dtype="float32")
        except soundfile.LibsndfileError:
            if self.samples is not None:
                raise
            return False
        return True

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _check_mp3(self, file: Path | BinaryIO) -> None:
        with _bytes_of(file) as encoded:
            found = count_frames(encoded)
        if found.samples > self._file.frames + MP3_SLACK:
            self.close()
            raise Unread(f"an MP3 file of {found.samples} samples that says {self._file.frames}")
        if not found.described:  # a guess
            self.samples, self._cut = None, not found.complete


def _cut(file: Path | BinaryIO, opened: soundfile.SoundFile) -> bool:
    """Whether the file ends before its header says; libsndfile only notes it in its log."""
    log = opened.extra_info
    if opened.format == "NIST":
        with _bytes_of(file) as encoded:
            declared = re.search(rb"sample_count -i (\d+)", encoded.read(1024))
        return declared is not None and int(declared[1]) > opened.frames
    if opened.format == "OGG":
        return _NO_END.search(log) is not None
    sizes = _SIZES.search(log)
    return sizes is not None and int(sizes[2]) < int(sizes[1]) < UNKNOWN_BYTES


@contextlib.contextmanager
def _bytes_of(file: Path | BinaryIO) -> Iterator[BinaryIO]:
    """The encoded recording from its beginning, beside what else reads it."""
    if isinstance(file, Path):
        with file.open("rb") as opened:
            yield opened
        return
    at = file.tell()
    file.seek(0)
    yield file
    file.seek(at)
