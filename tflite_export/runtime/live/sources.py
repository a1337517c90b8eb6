"""Where audio comes from: a recording, as fast as it can be read or as it was spoken."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from asr_qat.arrays import Array
from asr_qat.audio.decode import read_audio


class Chunk(NamedTuple):
    """Audio, and when it was there.

    Attributes:
        samples: float32 `[samples]` in [-1, 1).
        arrived: seconds of `time.perf_counter`, however long it waited to be taken.
    """

    samples: Array
    arrived: float


def recorded_chunks(
    path: str | Path,
    sample_rate: int,
    chunk_ms: int,
    stop: threading.Event,
    real_time: bool,
    clock: Callable[[], float] = time.perf_counter,
) -> Iterator[Chunk]:
    """The chunks of a recording, the last one maybe shorter.

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
        yield Chunk(chunk, spoken if real_time else clock())
