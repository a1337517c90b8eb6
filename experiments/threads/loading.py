"""How long it takes to load a file with its checksum and without."""

import statistics
import time
from pathlib import Path

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from experiments.threads.rows import LoadRow
from tflite_export.convert.serialize import serialize
from tflite_export.runtime.recogniser import TFLiteRecogniser


def load_row(path: Path, mb: float, rounds: int, work: Path) -> LoadRow:
    """Load a file that was filled up to so many MB (10^6).

    What fills it is a buffer of chance that no tensor refers to: LiteRT does not look at it, and
    the difference is what the checksum takes. The file is in the system's cache.

    Args:
        path: of a `.tflite`.
        mb: size of the filled file.
        rounds: each is loaded so often, in turn.
        work: folder for the filled file.
    """
    filled = work / f"{path.stem}_{mb:g}_mb.tflite"
    filled.write_bytes(_filled(path.read_bytes(), round(mb * 1e6)))
    times: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * (rounds + 1)):
        verify = number % 2 == 0
        started = time.perf_counter()
        TFLiteRecogniser(filled, verify=verify)
        times[verify].append(1000 * (time.perf_counter() - started))
    size = filled.stat().st_size / 1e6
    filled.unlink()
    with_it, without = (statistics.median(times[verify][1:]) for verify in (True, False))
    return LoadRow(mb=size, rounds=rounds, verified_ms=with_it, skipped_ms=without)


def _filled(content: bytes, size: int) -> bytes:
    model = schema.ModelT.InitFromPackedBuf(content, 0)
    filling = schema.BufferT()
    filling.data = np.random.default_rng(0).integers(0, 256, size - len(content), np.uint8)
    model.buffers.append(filling)
    return serialize(model)
