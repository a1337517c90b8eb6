"""Recordings through libsndfile: WAV, FLAC, NIST SPHERE, Ogg Vorbis, Opus, MP3, AIFF, AU, CAF."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile

from asr_qat.audio.containers.sample_checksum import BITS, SampleChecksum
from asr_qat.audio.containers.structure import Structure, say_odd
from asr_qat.audio.unnamed import Unnamed
from asr_qat.errors import UserError

BLOCK_SAMPLES = 1 << 17  # of each channel, decoded together
UNKNOWN_SAMPLES = 1 << 62  # FLAC of unknown length: libsndfile has the largest integer then
UNKNOWN_FORMATS = (1, 4)  # libsndfile's codes: of the container, of the encoding in it
MP3_SLACK = 2 * 1152  # samples that encoders add before and after the sound
MP3_BEFORE = 16 * 1152  # decoded before a segment: frames borrow bits and sound of those before


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
        structure: of its bytes.

    Attributes:
        sample_rate: samples per second.
        channels: how many.
        samples: of each channel, that can be read; None if the header does not say.

    Raises:
        Unread: not a format that libsndfile reads.
        UserError: a damaged header.
    """

    def __init__(self, file: Path | BinaryIO, name: str, structure: Structure):
        self._name, self._structure = name, structure
        self._opened = contextlib.ExitStack()
        try:
            self._file = self._open(file)
        except soundfile.LibsndfileError as error:
            self._opened.close()
            reason = _reason(error) or "cannot be decoded"
            if error.code in UNKNOWN_FORMATS:
                raise Unread(reason) from None
            raise UserError(f"{name}: not readable audio ({reason}): copy it again") from None
        self.sample_rate: int = self._file.samplerate
        self.channels: int = self._file.channels
        self.samples = None if self._file.frames >= UNKNOWN_SAMPLES else self._file.frames
        if self._file.format == "MP3":
            self._check_mp3()
        elif not structure.odd and self.samples not in (None, self._expected):
            say_odd(name, f"{self.samples} samples are read, but it holds {self._expected}")

    def blocks(self, start: int = 0) -> Iterator[np.ndarray]:
        """Samples from `start` on, float32 `[samples, channels]`, in blocks.

        Raises:
            UserError: it ends before `samples` of them, or is damaged on the way.
        """
        at, checksum = start, self._checksum(start)
        try:
            if start and not self._begins(start):
                return
            while True:
                block = self._file.read(BLOCK_SAMPLES, dtype="float32", always_2d=True)
                if not len(block):
                    break
                at += len(block)
                if checksum:
                    checksum.update(block)
                yield block
        except soundfile.LibsndfileError as error:
            raise UserError(
                f"{self._name}: damaged after {at} samples ({_reason(error)})"
            ) from None
        self._check_end(at)
        if checksum and not checksum.right:
            reason = "damaged: its checksum is of other samples"
            raise UserError(f"{self._name}: {reason}: copy it again")

    def close(self) -> None:
        """Close the file."""
        self._opened.close()

    def _open(self, file: Path | BinaryIO) -> _Stream:
        """Without its name: a damaged file that is called .au or .vox would be raw samples."""
        given: int | Unnamed
        if isinstance(file, Path):
            given = self._opened.enter_context(file.open("rb")).fileno()
        else:
            given = Unnamed(file)
        return self._opened.enter_context(_Stream(given, closefd=False))

    @property
    def _expected(self) -> int | None:
        """Samples that its bytes hold; what libsndfile says if they do not tell."""
        found = self._structure.samples
        return self.samples if found is None else found

    def _checksum(self, start: int) -> SampleChecksum | None:
        bits, expected = BITS.get(self._file.subtype, 0), self._structure.md5
        return SampleChecksum(bits, expected) if start == 0 and bits and expected else None

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

    def _check_end(self, at: int) -> None:
        """Raise `UserError` unless so many samples are all."""
        if self._structure.cut or (self.samples is not None and at < self.samples):
            raise UserError(f"{self._name}: cut short after {at} samples: copy it again")
        if self._file.format == "FLAC" and at != self._expected is not None:
            reason = f"damaged: {at} samples, not {self._expected}"
            raise UserError(f"{self._name}: {reason}: copy it again")

    def _check_mp3(self) -> None:
        found = self._structure.samples or 0
        if found > self._file.frames + MP3_SLACK:
            declared = self._file.frames
            self.close()
            raise Unread(f"an MP3 file of {found} samples that says {declared}")
        if self._structure.guessed:
            self.samples = None


def _reason(error: soundfile.LibsndfileError) -> str:
    return str(error.error_string).strip().rstrip(".")
