"""Hours of audio through one session, as fast as it goes."""

import itertools
import time
from pathlib import Path

from asr_qat.corpora.recordings import recordings
from asr_qat.progress import progress
from asr_qat.provenance import code_commit
from experiments.live.long_recording import resident_mb
from experiments.live.recordings import cut, joined
from experiments.server_capacity.rows import MemoryRow
from tflite_export.runtime.live.live_model import LiveModel
from tflite_export.runtime.live.session import Session

PAUSE_S = 1.5
PARTS = 10  # after each of which the memory is looked at


def measure_memory(
    model: LiveModel, data: str | Path, split: str, hours: float, chunk_ms: int, quiet: bool
) -> MemoryRow:
    """Stream recordings, from the first one on again when they are through.

    Args:
        model: live.
        data: prepared folder.
        split: of it.
        hours: of audio.
        chunk_ms: milliseconds of a chunk.
        quiet: no progress.
    """
    session, rate = Session(model), model.front_end.sample_rate
    size, seconds = rate * chunk_ms // 1000, 3600 * hours
    count = round(seconds * rate) // size
    marks = {round(count * part / PARTS) for part in range(1, PARTS + 1)}
    chunks = cut(joined(recordings(data, split), seconds, PAUSE_S, rate), itertools.repeat(size))
    memory, began = [], time.perf_counter()
    for at, chunk in progress(enumerate(chunks, start=1), "memory", count, quiet=quiet):
        session.accept(chunk)
        if at in marks:
            memory.append(resident_mb())
    session.finish()
    seconds = time.perf_counter() - began
    return MemoryRow(hours=hours, seconds=seconds, memory_mb=tuple(memory), commit=code_commit())
