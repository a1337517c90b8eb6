"""Calls of one recogniser by several threads."""

import concurrent.futures
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from asr_qat.arrays import Array
from experiments.threads.rows import ThreadsRow
from tflite_export.runtime.transcriber import Transcriber, load
from tflite_export.score.fresh_process import RESIDENT, memory_mb

Setting = tuple[int, int]  # threads, calls at the same time


def thread_rows(
    path: Path, recordings: Sequence[Array], calls: int, settings: Sequence[Setting]
) -> list[ThreadsRow]:
    """A row for one thread, and one for each setting.

    Args:
        path: of a `.tflite`.
        recordings: `[samples]` each, at the rate of the model.
        calls: of all threads together.
        settings: of the other rows.
    """
    alone = load(path)
    expected = [alone.transcribe(audio) for audio in recordings]  # which also packs the weights
    rows: list[ThreadsRow] = []
    for threads, parallel in [(1, 1), *settings]:
        model = alone if parallel == 1 else load(path, parallel=parallel)
        wrong, seconds = _calls(model, recordings, expected, calls, threads)
        rows.append(
            ThreadsRow(
                name=path.stem,
                kind=_kind(alone),
                threads=threads,
                parallel=parallel,
                calls=calls,
                wrong=wrong,
                calls_per_s=calls / seconds,
                over_one_thread=calls
                / seconds
                / (rows[0].calls_per_s if rows else calls / seconds),
                resident_mb=memory_mb(RESIDENT),
            )
        )
    return rows


def _calls(
    model: Transcriber, recordings: Sequence[Array], texts: Sequence[str], calls: int, threads: int
) -> tuple[int, float]:
    """Wrong texts and seconds; neighbouring threads have different recordings at any time."""
    begin = threading.Barrier(threads + 1)

    def some(thread: int) -> int:
        begin.wait()
        found = 0
        for number in range(thread, calls, threads):
            index = number % len(recordings)
            found += model.transcribe(recordings[index]) != texts[index]
        return found

    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        counts = [pool.submit(some, thread) for thread in range(threads)]
        begin.wait()
        started = time.perf_counter()
        wrong = sum(count.result() for count in counts)
    return wrong, time.perf_counter() - started


def _kind(model: Transcriber) -> str:
    if model.recogniser.live:
        return "live"
    return "CTC" if model.recogniser.steps is None else "transducer"
