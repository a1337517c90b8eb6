"""A live preset of production size, with initial weights: bytes, speed of its chunks, memory."""

import dataclasses
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asr_qat.decoding.transducer_steps import State, TransducerSteps
from asr_qat.progress import progress
from asr_qat.quantize.precision import FLOAT
from asr_qat.text.tokenizer import Tokenizer
from tflite_export.evaluate import describe
from tflite_export.inspect import inspect
from tflite_export.live.model import LiveModel, live_model
from tflite_export.live.session import Session
from tflite_export.live_evaluate import live_peak_rss_mb, milliseconds, timed_chunks
from tflite_export.recogniser import TFLiteRecogniser
from tflite_export.scale import convert_apart, write_initial

VARIANTS = {"float32": FLOAT, "mixed 4/8": "mixed_4_8"}
ROUNDS = 3  # timed runs of each file, in turn


class PacedSteps:
    """The `TransducerSteps` of a model, which find labels at an even pace.

    They calculate all that the model's own do. Initial weights find no label or one after the
    other, and the search would cost too little or too much.

    Args:
        steps: of the model.
        labels_per_frame: of each search.
    """

    def __init__(self, steps: TransducerSteps, labels_per_frame: float):
        self._steps = steps
        self.blank = steps.blank
        # A search joins for each label, and for the blank that ends each frame.
        self._share = labels_per_frame / (1 + labels_per_frame)
        self._due = 0.0

    def initial_state(self, rows: int) -> State:
        """As in `TransducerSteps`."""
        return self._steps.initial_state(rows)

    def predict(self, labels: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """As in `TransducerSteps`."""
        return self._steps.predict(labels, state)

    def join(self, encoded: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """As in `TransducerSteps`, of one row, with another winner."""
        logits = self._steps.join(encoded, predicted).copy()
        self._due += self._share
        label = self._due >= 1
        self._due -= label
        winner = int(logits[0, : self.blank].argmax()) if label else self.blank
        logits[0, winner] = np.inf
        return logits


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
) -> dict[str, Any]:
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

    Returns:
        `rows`: size, what export took, and for each chunk length `rtf` and percentiles of the
        time of a chunk, front end, both encoders and both searches included.
    """
    folder = Path(work) / preset
    parameters = write_initial("transducer", preset, tokenizer, folder / "initial", seed)
    rows: list[dict[str, Any]] = []
    paths = {name: folder / f"{precision}.tflite" for name, precision in VARIANTS.items()}
    for name, path in progress(paths.items(), f"convert {preset}", len(paths), "file", quiet):
        costs = convert_apart(folder / "initial", path, VARIANTS[name])
        content = inspect(path)
        row = {"name": f"{preset} {name}", **describe(TFLiteRecogniser(path, threads))}
        row["ratio"] = (rows or [row])[0]["bytes"] / row["bytes"]
        copied = {key: content[key] for key in ("weight_widths", "delegated", "bytes_by_part")}
        memory = live_peak_rss_mb(path, 10.0, max(chunk_ms), threads)
        rows.append({**row, **costs, **copied, "peak_rss_mb": memory})
    models = [live_model(TFLiteRecogniser(path, threads)) for path in paths.values()]
    timed = _timed(models, labels_per_second, chunk_ms, seconds, quiet)
    for row, found in zip(rows, timed, strict=True):
        row["chunks"] = found
    encoder = models[0].encoder
    if not keep:
        shutil.rmtree(folder)
    return {
        "rows": rows,
        "preset": preset,
        "parameters": parameters,
        "vocabulary": tokenizer.vocab_size,
        "labels_per_second": labels_per_second,
        "audio_seconds": seconds * ROUNDS,
        "threads": threads,
        "look_ahead_ms": encoder.look_ahead * encoder.frame_ms,
        "delay_ms": (encoder.look_ahead + encoder.delay) * encoder.frame_ms,
    }


def _timed(
    models: list[LiveModel],
    labels_per_second: float,
    chunk_ms: Sequence[int],
    seconds: float,
    quiet: bool,
) -> list[dict[str, Any]]:
    """Figures of each model by chunk length."""
    rate = models[0].front_end.sample_rate
    audio = np.random.default_rng(0).uniform(-0.1, 0.1, round(seconds * rate)).astype(np.float32)
    pace = labels_per_second * models[0].encoder.frame_ms / 1000
    paced = [dataclasses.replace(each, steps=PacedSteps(each.steps, pace)) for each in models]
    taken: list[dict[int, list[np.ndarray]]] = [{ms: [] for ms in chunk_ms} for _ in models]
    rounds = [(ms, i) for _ in range(ROUNDS) for ms in chunk_ms for i in range(len(models))]
    for ms, i in progress(rounds, "time", len(rounds), "run", quiet):
        session = Session(paced[i])
        taken[i][ms].append(timed_chunks(session, audio, rate * ms // 1000))
    return [
        {
            str(ms): {
                "rtf": float(np.concatenate(runs).sum()) / (seconds * ROUNDS),
                "compute_ms": milliseconds(np.concatenate(runs)),
                "late": int((1000 * np.concatenate(runs) > ms).sum()),
                "count": sum(map(len, runs)),
            }
            for ms, runs in own.items()
        }
        for own in taken
    ]
