"""Integers of less than a byte, several in each. Needs no TensorFlow."""

import numpy as np


def packed_integers(integers: np.ndarray, bits: int) -> np.ndarray:
    """Integers of any shape as bytes, the first one in the lowest bits: uint8 `[bytes]`."""
    flat = integers.reshape(-1).astype(np.int8).view(np.uint8)
    each = 8 // bits
    parts = np.pad(flat, (0, -len(flat) % each)).reshape(-1, each) & np.uint8(2**bits - 1)
    packed = parts[:, 0].copy()
    for place in range(1, each):
        packed |= parts[:, place] << np.uint8(bits * place)
    return packed


def unpacked_integers(packed: np.ndarray, bits: int, shape: tuple[int, ...]) -> np.ndarray:
    """What `packed_integers` packed: int8 of a shape."""
    first = 8 - bits * (1 + np.arange(8 // bits, dtype=np.uint8))  # of the lowest bits, at the top
    parts = (packed[:, None] << first).view(np.int8) >> (8 - bits)
    return parts.reshape(-1)[: np.prod(shape)].reshape(shape)
