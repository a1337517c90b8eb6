"""Long speech through one session: memory over time, and the words of the same audio in pieces.

Run in a process of its own, which has nothing of TensorFlow.
"""

import gc
import itertools
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jiwer
import numpy as np

from tflite_export.evaluate import recordings
from tflite_export.fresh_process import result_of
from tflite_export.live.events import Event, Transcript
from tflite_export.live.model import LiveModel, load_model
from tflite_export.live.session import Session
from tflite_export.live_evaluate import milliseconds
from tflite_export.streaming.audio import cut, joined

PROGRAM = """
import json, sys
from tflite_export.streaming.hour import stream_long
path, data, splits, seconds, pause_s, chunk_ms, threads = json.loads(sys.argv[2])
print(json.dumps(stream_long(path, data, splits, seconds, pause_s, chunk_ms, threads)))
"""
MINUTE_S = 60


def long_run(
    path: str | Path,
    data: str | Path,
    splits: tuple[str, ...],
    seconds: float = 3600.0,
    pause_s: float = 1.5,
    chunk_ms: int = 120,
    threads: int = 1,
) -> dict[str, Any]:
    """`stream_long` in a fresh process."""
    words = [str(path), str(data), splits, seconds, pause_s, chunk_ms, threads]
    return result_of(PROGRAM, str(path), words)


def stream_long(
    path: str,
    data: str,
    splits: list[str],
    seconds: float,
    pause_s: float,
    chunk_ms: int,
    threads: int,
) -> dict[str, Any]:
    """Stream recordings, one behind the other, then again cut at the endpoints that were found.

    Args:
        path: of a live `.tflite`.
        data: prepared folder.
        splits: whose recordings, from the first one on again when they are through.
        seconds: of audio.
        pause_s: of the room's noise behind each recording.
        chunk_ms: milliseconds of a chunk; the pace is that of the processor.
        threads: CPU threads.

    Returns:
        `rss_mb`, resident memory of the process after each minute of audio (2^20 bytes);
        `growth_mb` from the first minute to the end, and `most_growth_mb`; `utterances`, `words`,
        and `different_words`: edits between the words of the stream and of its pieces;
        `different`: those utterances; time of the chunks.
    """
    model = load_model(path, threads)
    items = [item for split in splits for item in recordings(data, split)]
    rate = model.front_end.sample_rate
    size = rate * chunk_ms // 1000

    def audio(sizes: Iterator[int]) -> Iterator[np.ndarray]:
        return cut(joined(items, seconds, pause_s, rate), sizes)

    memory: list[float] = []
    taken: list[float] = []
    ends: list[int] = []  # samples of each utterance
    texts: list[str] = []
    session, heard = Session(model), 0
    for chunk in audio(itertools.repeat(size)):
        offset = session.offset
        started = time.perf_counter()
        events = session.accept(chunk)
        taken.append(time.perf_counter() - started)
        if session.offset != offset:
            ends.append(round((session.offset - offset) * model.encoder.frame_ms * rate / 1000))
            texts.append(_final(events))
        heard += len(chunk)
        if heard // (MINUTE_S * rate) > len(memory):
            memory.append(resident_mb())
    texts.append(_final(session.finish()))
    memory.append(resident_mb())
    pieces = [_final(_alone(model, piece, size)) for piece in audio(iter(ends))]
    pieces += [""] * (len(texts) - len(pieces))  # the last one may have no sample
    return {
        "audio_seconds": heard / rate,
        "recordings": len(items),
        "pause_s": pause_s,
        "chunk_ms": chunk_ms,
        "threads": threads,
        "rss_mb": memory,
        "growth_mb": memory[-1] - memory[0],
        "most_growth_mb": max(memory) - memory[0],
        "utterances": len(texts),
        "words": sum(len(text.split()) for text in texts),
        "different_words": sum(map(_edits, texts, pieces)),
        "different": [
            {"stream": a, "piece": b} for a, b in zip(texts, pieces, strict=True) if a != b
        ],
        "chunk_compute_ms": milliseconds(np.array(taken)),
        "rtf": sum(taken) * rate / heard,
    }


def _alone(model: LiveModel, audio: np.ndarray, size: int) -> list[Event]:
    session = Session(model)
    events = [e for at in range(0, len(audio), size) for e in session.accept(audio[at : at + size])]
    return events + session.finish()


def _final(events: list[Event]) -> str:
    return " ".join(
        event.text for event in events if isinstance(event, Transcript) and event.kind == "final"
    )


def _edits(a: str, b: str) -> int:
    if not a or not b:
        return len((a or b).split())
    found = jiwer.process_words(a, b)
    return found.substitutions + found.deletions + found.insertions


def resident_mb() -> float:
    """Memory of this process now, in MB (2^20)."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20
