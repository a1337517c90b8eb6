"""Files of a preset at full size from initial weights: bytes, speed and memory."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from tensorflow import keras

from asr_qat import files
from asr_qat.models.model_directory import ModelConfig, Recogniser
from asr_qat.models.presets import PRESETS
from asr_qat.progress import progress
from asr_qat.provenance import provenance
from asr_qat.quantize.precision import FLOAT
from asr_qat.text.tokenizer import Tokenizer
from tflite_export.convert import convert_recogniser
from tflite_export.evaluate import describe, peak_rss_mb
from tflite_export.inspect import inspect
from tflite_export.recogniser import TFLiteRecogniser

VARIANTS = (("float32", FLOAT), ("int8", "w8a8"), ("int4", "w4a8"))
AUDIO_SECONDS = 10.0
ROUNDS = 7  # timed runs of each file, in turn
ACCURACY = ("wer", "wer_ci", "wer_diff_ci", "identical_hypotheses", "max_logit_diff")  # unknown
BIAS_DEVIATION = 0.02  # initial biases are zero, which a converter leaves out


def scale(
    preset: str,
    tokenizer: str | Path,
    work: str | Path,
    threads: int = 1,
    seed: int = 0,
    quiet: bool = False,
) -> dict[str, Any]:
    """Write and run the files of a preset.

    Every file is timed once in each round, so that a change of the machine's speed meets all
    of them; ratios are medians of the rounds' ratios. Accuracy is not measured: the weights
    are the initial ones, with small random biases so that none is optimised away.

    Args:
        preset: `S`, `M` or `L`.
        tokenizer: SentencePiece model; its size is the number of outputs.
        work: folder for the files.
        threads: CPU threads.
        seed: of the weights.
        quiet: no progress.

    Returns:
        `rows` as in the demo, without what has to do with accuracy, and provenance.
    """
    keras.utils.set_random_seed(seed)
    config = ModelConfig(PRESETS[preset])
    words = Tokenizer.load(tokenizer)
    mel_bins = config.front_end.mel_bins
    initial = Recogniser.create(config, words, np.zeros(mel_bins), np.ones(mel_bins))
    rng = np.random.default_rng(seed)
    for variable in initial.model.trainable_variables:
        if variable.shape.rank == 1 and "gamma" not in variable.name:
            variable.assign(rng.normal(0.0, BIAS_DEVIATION, variable.shape))

    rows = []
    for name, precision in progress(VARIANTS, "convert", len(VARIANTS), "file", quiet):
        path = Path(work) / f"{preset}_{name}.tflite"
        started = time.monotonic()
        files.write_bytes(path, convert_recogniser(initial, precision, (AUDIO_SECONDS,)))
        content = inspect(path)
        rows.append(
            {
                "name": f"{preset} {name}",
                **dict.fromkeys(ACCURACY),
                **describe(TFLiteRecogniser(path, threads)),
                "parameters": initial.model.count_params(),
                "weight_widths": content["weight_widths"],
                "delegated": content["delegated"],
                "convert_seconds": round(time.monotonic() - started, 1),
                "peak_rss_mb": peak_rss_mb(path, AUDIO_SECONDS, threads),
                "threads": threads,
                "folded_tables": content["folded_tables"],
                "custom_operators": content["custom_operators"],
                "path": path,
            }
        )
    _time(rows, mel_bins, threads, quiet)
    return {"rows": rows, "audio_seconds": AUDIO_SECONDS, **provenance(seed)}


def _time(rows: list[dict[str, Any]], mel_bins: int, threads: int, quiet: bool) -> None:
    """Add size, speed and memory relative to the first row."""
    devices = [TFLiteRecogniser(row.pop("path"), threads) for row in rows]
    features = np.random.default_rng(0).standard_normal((devices[0].lengths[-1], mel_bins))
    features = features.astype(np.float32)
    for device in devices:
        device.encode(features)
    seconds = np.zeros((ROUNDS, len(rows)))
    for i in progress(range(ROUNDS), "time", ROUNDS, "round", quiet):
        for j, device in enumerate(devices):
            started = time.perf_counter()
            device.encode(features)
            seconds[i, j] = time.perf_counter() - started
    for j, row in enumerate(rows):
        median = float(np.median(seconds[:, j]))
        row["ratio"] = rows[0]["bytes"] / row["bytes"]
        row["latency_ms"] = 1000 * median
        row["rtf"] = median / AUDIO_SECONDS
        row["speedup"] = float(np.median(seconds[:, 0] / seconds[:, j]))
        row["memory_ratio"] = row["peak_rss_mb"] / rows[0]["peak_rss_mb"]
