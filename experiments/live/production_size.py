"""A live preset of production size, with initial weights: bytes, speed of its chunks, memory."""

import dataclasses
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from asr_qat.errors import require
from asr_qat.progress import progress
from asr_qat.provenance import Provenance
from asr_qat.quantize.precision import FLOAT
from asr_qat.text.tokenizer import Tokenizer
from experiments.live.live_results import ChunkTimes, LiveInitialFile, LiveScaleResults
from experiments.live.paced_steps import PAUSE_S, SPEECH_S, PacedSteps
from experiments.scale.scale import convert_apart, initial_file, write_initial
from experiments.scale.scale_rows import InitialFile
from tflite_export.runtime.live.encoder import delays_ms
from tflite_export.runtime.live.live_model import LiveModel, live_model
from tflite_export.runtime.live.session import Session
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.inspect import inspect
from tflite_export.score.live_evaluate import live_peak_rss_mb, timed_chunks
from tflite_export.score.rows import Times, combine

VARIANTS = {"float32": FLOAT, "mixed 4/8": "mixed_4_8"}
ROUNDS = 3  # timed runs of each file, in turn


def streaming_scale(
    preset: str,
    tokenizer: Tokenizer,
    labels_per_second: float,
    work: str | Path,
    chunk_ms: Sequence[int] = (120,),
    seconds: float = 60.0,
    threads: int = 1,
    seed: int = 0,
    keep: bool = False,
    quiet: bool = False,
    labels_of: str | None = None,
) -> LiveScaleResults:
    """Write the files of a live preset, float32 and mixed, and stream through them.

    Args:
        preset: by name.
        tokenizer: the vocabulary.
        labels_per_second: of speech, in this vocabulary.
        work: folder for the files.
        chunk_ms: milliseconds of a chunk; each is timed alone.
        seconds: of noise in each of `ROUNDS` runs of each file.
        threads: CPU threads.
        seed: of the weights.
        keep: leave models and files in `work`.
        quiet: no progress.
        labels_of: what the labels were measured on, in words.

    Raises:
        UserError: `seconds` that hold no endpoint.
    """
    least = SPEECH_S + 2 * PAUSE_S  # the first pause, and what it makes the second pass do
    require(seconds >= least, f"--seconds {seconds:g}: {least:g} at least, for one endpoint")
    folder = Path(work) / preset
    parameters = write_initial("transducer", preset, tokenizer, folder / "initial", seed)
    initial: list[InitialFile] = []
    paths = {name: folder / f"{precision}.tflite" for name, precision in VARIANTS.items()}
    for name, path in progress(paths.items(), f"convert {preset}", len(paths), "file", quiet):
        costs = convert_apart(folder / "initial", path, VARIANTS[name])
        memory = live_peak_rss_mb(path, 10.0, max(chunk_ms), threads)
        whole = initial[0].bytes if initial else None
        row = initial_file(
            f"{preset} {name}", path, inspect(path), costs, parameters, memory, whole
        )
        initial.append(row)
    models = [live_model(TFLiteRecogniser(path, threads)) for path in paths.values()]
    timed = _timed(models, labels_per_second, chunk_ms, seconds, quiet)
    rows = [
        combine(LiveInitialFile, row, chunks=found)
        for row, found in zip(initial, timed, strict=True)
    ]
    look_ahead_ms, delay_ms = delays_ms(models[0].encoder)
    if not keep:
        shutil.rmtree(folder)
    return combine(
        LiveScaleResults,
        Provenance.of_this_run(seed),
        preset=preset,
        parameters=parameters,
        vocabulary=tokenizer.vocab_size,
        labels_per_second=labels_per_second,
        labels_of=labels_of,
        speech_s=SPEECH_S,
        pause_s=PAUSE_S,
        audio_seconds=seconds * ROUNDS,
        threads=threads,
        look_ahead_ms=look_ahead_ms,
        delay_ms=delay_ms,
        rows=tuple(rows),
    )


def _timed(
    models: list[LiveModel],
    labels_per_second: float,
    chunk_ms: Sequence[int],
    seconds: float,
    quiet: bool,
) -> list[dict[str, ChunkTimes]]:
    """Figures of each model by chunk length."""
    rate = models[0].front_end.sample_rate
    audio = np.random.default_rng(0).uniform(-0.1, 0.1, round(seconds * rate)).astype(np.float32)
    frame_s = models[0].encoder.frame_ms / 1000
    taken: list[dict[int, list[_Run]]] = [{ms: [] for ms in chunk_ms} for _ in models]
    rounds = [(ms, i) for _ in range(ROUNDS) for ms in chunk_ms for i in range(len(models))]
    for ms, i in progress(rounds, "time", len(rounds), "run", quiet):
        steps = PacedSteps(models[i].steps, labels_per_second, frame_s)
        session = Session(dataclasses.replace(models[i], steps=steps))
        taken[i][ms].append(_run(session, audio, rate * ms // 1000))
    return [
        {str(ms): _figures(runs, ms, seconds * ROUNDS) for ms, runs in own.items()} for own in taken
    ]


class _Run(NamedTuple):
    """Seconds of each chunk, whether an utterance ended in it, and seconds of the last words."""

    chunks: np.ndarray
    ended: np.ndarray
    finish: float


def _run(session: Session, audio: np.ndarray, size: int) -> _Run:
    chunks, ended = timed_chunks(session, audio, size)
    started = time.perf_counter()
    session.finish()
    return _Run(chunks, ended, time.perf_counter() - started)


def _figures(runs: list[_Run], chunk_ms: int, audio_s: float) -> ChunkTimes:
    chunks = np.concatenate([run.chunks for run in runs])
    ends = chunks[np.concatenate([run.ended for run in runs])]
    finishes = np.array([run.finish for run in runs])
    return ChunkTimes(
        rtf=float(chunks.sum() + finishes.sum()) / audio_s,
        compute_ms=Times.of(chunks),
        late=int((1000 * chunks > chunk_ms).sum()),
        count=len(chunks),
        endpoint_ms=Times.of(ends) if len(ends) else None,
        endpoints=len(ends),
        finish_ms=Times.of(finishes),
    )
