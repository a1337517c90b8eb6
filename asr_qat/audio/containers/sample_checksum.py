"""The checksum that FLAC has of its samples: those of a decoder are the encoder's."""

import hashlib

import numpy as np

BITS = {"PCM_S8": 8, "PCM_16": 16, "PCM_24": 24}  # by libsndfile's name; exact in float32


class SampleChecksum:
    """MD5 of samples as they arrive.

    Args:
        bits: of a sample.
        expected: MD5 of all of them as integers, channels in turn, little-endian. RFC 9639.
    """

    def __init__(self, bits: int, expected: bytes):
        self._bits, self._expected = bits, expected
        self._found = hashlib.md5(usedforsecurity=False)

    def update(self, block: np.ndarray) -> None:
        """Take the next ones, float32 `[samples, channels]` in [-1, 1)."""
        integers = (block * np.float32(1 << (self._bits - 1))).astype("<i4")
        content = integers.reshape(-1, 1).view(np.uint8)[:, : self._bits // 8]
        self._found.update(content.tobytes())

    @property
    def right(self) -> bool:
        """Whether all samples so far are those that were encoded."""
        return self._found.digest() == self._expected
