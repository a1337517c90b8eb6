"""Where audio comes from: a recording, as fast as it can be read or as it was spoken."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from asr_qat.audio.decode import read_audio


def recorded_chunks(
    path: str | Path,
    sample_rate: int,
    chunk_ms: int,
    stop: threading.Event,
    real_time: bool,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[np.ndarray]:
    """The chunks of a recording, float32 `[samples]`, the last one maybe shorter.

    Args:
        path: an audio file.
        sample_rate: samples per second that it must have.
        chunk_ms: milliseconds of one chunk.
        stop: set to end early.
        real_time: give a chunk when it would have been spoken, not at once.
        clock: seconds.

    Raises:
        UserError: the file cannot be used.
    """
    audio = read_audio(path, sample_rate)
    size = max(1, sample_rate * chunk_ms // 1000)
    begin = clock()
    for at in range(0, len(audio), size):
        chunk = audio[at : at + size]
        spoken = begin + (at + len(chunk)) / sample_rate
        if stop.wait(max(0.0, spoken - clock()) if real_time else 0.0):
            return
        yield chunk
