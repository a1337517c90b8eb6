"""Any rate and number of channels to one channel at one rate, block by block."""

from collections.abc import Iterable, Iterator

import numpy as np


def mixed_down(blocks: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    """The mean of all channels: `[samples, channels]` to `[samples]`."""
    for block in blocks:
        yield block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)


def resampled(blocks: Iterable[np.ndarray], rate: int, wanted: int) -> Iterator[np.ndarray]:
    """Audio at another rate, band-limited by SoX's resampler, whatever the blocks.

    Args:
        blocks: float32 `[samples]` each.
        rate: samples per second that they have.
        wanted: samples per second that they get.
    """
    if rate == wanted:
        yield from blocks
        return
    import soxr  # late: most recordings have the model's rate

    stream = soxr.ResampleStream(rate, wanted, 1)
    for block in blocks:
        yield stream.resample_chunk(np.ascontiguousarray(block))
    yield stream.resample_chunk(np.zeros(0, np.float32), last=True)
