"""Files of whole presets from initial weights: bytes, speed and memory, and what export takes."""

import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from tensorflow import keras

from asr_qat.audio.front_end import subsampled_length
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser
from asr_qat.models.presets import PRESETS, STREAMING, TRANSDUCERS
from asr_qat.models.summary import summarize, total
from asr_qat.progress import progress
from asr_qat.provenance import Provenance
from asr_qat.quantize.precision import FLOAT
from asr_qat.text.tokenizer import Tokenizer
from experiments.scale.scale_rows import (
    ALL_TWO_BITS,
    ExportCosts,
    FileSpeed,
    InitialFile,
    PresetSize,
    ScaleResults,
    ScaleRow,
    targets,
)
from tflite_export.convert.convert import convert
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.contents import Contents
from tflite_export.score.evaluate import describe, peak_rss_mb
from tflite_export.score.fresh_process import peak_memory_mb
from tflite_export.score.inspect import inspect
from tflite_export.score.rows import combine

VARIANTS = {
    "ctc": {"float32": FLOAT, "int8": "w8a8", "int4": "w4a8"},
    "transducer": {
        "float32": FLOAT,
        "int8": "w8a8",
        "int4": "w4a8",
        "mixed 4/8": "mixed_4_8",
        "2-bit": "two_bit",
        "2-bit in all layers": ALL_TWO_BITS,
    },
}
# How many times smaller than float32: abstract of Ding et al. (2022, arXiv 2203.15952), the
# first one on LibriSpeech, the second one for a large-scale system.
PAPER_RATIO = {"int4": 5.8, "mixed 4/8": 5.0}
PAPER_PARAMETERS = {"S": 10.3e6, "M": 30.7e6, "L": 118.8e6}  # Gulati et al. (2020), table 1
AUDIO_SECONDS = 10.0
ROUNDS = 7  # timed runs of each file, in turn
STEP_CALLS = 50  # calls of predict and join that are timed together
BIAS_DEVIATION = 0.02  # initial biases are zero and gains one, which a converter leaves out


def scale(
    model: Literal["ctc", "transducer"],
    presets: Sequence[str],
    tokenizer: Tokenizer,
    labels_per_second: float | None,
    work: str | Path,
    threads: int = 1,
    seed: int = 0,
    keep: bool = False,
    quiet: bool = False,
    labels_of: str | None = None,
    precisions: Sequence[str] = (),
) -> ScaleResults:
    """Write and run the files of some presets, one preset after the other.

    Every file of a preset is timed once in each round, so that a change of the machine's speed
    meets all of them; ratios are medians of the rounds' ratios. Accuracy is not measured: the
    weights are the initial ones, quantized after training, with a little noise on biases and
    gains so that none is optimised away. Each conversion has a process of its own.

    Args:
        model: kind of the models.
        presets: names of `asr_qat.models.presets`, no live ones.
        tokenizer: the vocabulary; its size is the number of outputs.
        labels_per_second: of speech, in this vocabulary, which sets how often a transducer's
            search calls predict; None for CTC models.
        work: folder for the files.
        threads: CPU threads.
        seed: of the weights.
        keep: leave models and files in `work`; otherwise each preset's go before the next one's.
        quiet: no progress.
        labels_of: what the labels were measured on, in words.
        precisions: that are compared with float32, by name; empty for the usual ones.
    """
    variants = {"float32": FLOAT, **dict(zip(precisions, precisions, strict=True))}
    variants = variants if precisions else VARIANTS[model]
    rows: list[ScaleRow] = []
    sizes: dict[str, PresetSize] = {}
    for preset in presets:
        folder = Path(work) / f"{model}_{preset}"
        directory = folder / "initial"
        parameters = write_initial(model, preset, tokenizer, directory, seed)
        paper = PAPER_PARAMETERS.get(preset) if model == "transducer" else None
        sizes[preset] = PresetSize(
            parameters=parameters,
            paper_parameters=paper,
            deviation=parameters / paper - 1 if paper else None,
        )
        paths = {name: folder / f"{precision}.tflite" for name, precision in variants.items()}
        files: list[InitialFile] = []
        contents: list[Contents] = []
        for name, path in progress(paths.items(), f"convert {preset}", len(paths), "file", quiet):
            costs = convert_apart(directory, path, variants[name], AUDIO_SECONDS)
            memory = peak_rss_mb(path, AUDIO_SECONDS, threads)
            whole = files[0].bytes if files else None
            content = inspect(path)
            file = initial_file(f"{preset} {name}", path, content, costs, parameters, memory, whole)
            files.append(file)
            contents.append(content)
        speeds = _speeds(list(paths.values()), labels_per_second, threads, quiet)
        for name, file, content, speed in zip(paths, files, contents, speeds, strict=True):
            row = combine(
                ScaleRow,
                file,
                speed,
                preset=preset,
                paper_ratio=PAPER_RATIO.get(name) if model == "transducer" else None,
                memory_ratio=file.peak_rss_mb / files[0].peak_rss_mb,
                folded_tables=content.folded_tables,
                custom_operators=content.custom_operators,
            )
            rows.append(row)
        if not keep:
            shutil.rmtree(folder)
    return combine(
        ScaleResults,
        Provenance.of_this_run(seed),
        model=model,
        vocabulary=tokenizer.vocab_size,
        audio_seconds=AUDIO_SECONDS,
        labels_per_second=labels_per_second,
        labels_of=labels_of,
        presets=sizes,
        rows=tuple(rows),
        targets=targets(rows),
    )


def write_initial(model: str, preset: str, tokenizer: Tokenizer, directory: Path, seed: int) -> int:
    """Write a float model directory with initial weights. Returns the number of parameters.

    Args:
        model: `ctc` or `transducer`, which live models are too.
        preset: its shape by name.
        tokenizer: its vocabulary.
        directory: to write.
        seed: of the weights.
    """
    keras.utils.set_random_seed(seed)
    transducer = TRANSDUCERS[preset] if model == "transducer" else None
    config = ModelConfig(PRESETS[preset], transducer=transducer, streaming=STREAMING.get(preset))
    mel_bins = config.front_end.mel_bins
    initial = Recogniser.create(config, tokenizer, np.zeros(mel_bins), np.ones(mel_bins))
    rng = np.random.default_rng(seed)
    for variable in initial.model.trainable_variables:
        if variable.shape.rank == 1 or "bias" in variable.name:
            variable.assign_add(rng.normal(0.0, BIAS_DEVIATION, variable.shape))
    initial.save(directory)
    parameters = total(summarize(initial.model)).parameters
    keras.backend.clear_session()
    return parameters


def convert_apart(directory: Path, path: Path, precision: str, *seconds: float) -> ExportCosts:
    """Write a file in a fresh process, with Python's start and the reading of the weights.

    Args:
        directory: of the model.
        path: of the file.
        precision: by name.
        seconds: lengths of its signatures; a live model has none.
    """
    started = time.monotonic()
    memory = peak_memory_mb(convert, directory, path, precision, seconds)
    return ExportCosts(convert_seconds=time.monotonic() - started, convert_peak_rss_mb=memory)


def initial_file(
    name: str,
    path: Path,
    content: Contents,
    costs: ExportCosts,
    parameters: int,
    peak_rss_mb: float,
    whole: int | None,
) -> InitialFile:
    """What is said of a file of initial weights.

    Args:
        name: of the row.
        path: of the file.
        content: of the file.
        costs: of its export.
        parameters: of the model.
        peak_rss_mb: peak memory of recognition, MB (2^20).
        whole: bytes of the float32 file, None if this is it.
    """
    facts = describe(TFLiteRecogniser(path))
    return combine(
        InitialFile,
        facts,
        costs,
        name=name,
        parameters=parameters,
        ratio=(whole or facts.bytes) / facts.bytes,
        wire_bytes=content.wire_bytes,
        weight_widths=content.weight_widths,
        delegated=content.delegated,
        bytes_by_part=content.bytes_by_part,
        peak_rss_mb=peak_rss_mb,
    )


def _speeds(
    paths: list[Path], labels_per_second: float | None, threads: int, quiet: bool
) -> list[FileSpeed]:
    """Time the files in turn; speed-ups are over the first one."""
    devices = [TFLiteRecogniser(path, threads) for path in paths]
    mel_bins = devices[0].metadata.front_end.mel_bins
    features = np.random.default_rng(0).standard_normal((devices[0].lengths[-1], mel_bins))
    features = features.astype(np.float32)
    calls = {"encode": 1}
    if labels_per_second is not None:
        labels = round(labels_per_second * AUDIO_SECONDS)
        calls = search_calls(len(features), labels, devices[0].metadata.halvings)
    for device in devices:
        device.warm_up()
    seconds = np.zeros((ROUNDS, len(devices), len(calls)))
    for i in progress(range(ROUNDS), "time", ROUNDS, "round", quiet):
        for j, device in enumerate(devices):
            seconds[i, j] = _seconds(device, features)
    utterances = seconds @ list(calls.values())
    found = []
    for j in range(len(devices)):
        median = float(np.median(utterances[:, j]))
        parts = {
            f"{name}_ms": 1000 * float(np.median(seconds[:, j, k])) for k, name in enumerate(calls)
        }
        found.append(
            FileSpeed(
                latency_ms=1000 * median,
                rtf=median / AUDIO_SECONDS,
                speedup=float(np.median(utterances[:, 0] / utterances[:, j])),
                threads=threads,
                **parts,
            )
        )
    return found


def search_calls(frames: int, labels: int, halvings: int) -> dict[str, int]:
    """How often greedy search calls each signature for `frames` feature frames.

    It predicts from the start and after each label; it joins for each label, and for the blank
    that ends each encoded frame.

    Args:
        frames: feature frames.
        labels: of the utterance.
        halvings: how often the encoder halves the time axis.
    """
    encoded = subsampled_length(frames, halvings)
    return {"encode": 1, "predict": 1 + labels, "join": encoded + labels}


def _seconds(device: TFLiteRecogniser, features: np.ndarray) -> list[float]:
    """Time of one call of each signature, as search makes it: encode, predict, join."""
    started = time.perf_counter()
    encoded = device.encode(features)[:1]
    taken = [time.perf_counter() - started]
    steps = device.steps
    if steps is None:
        return taken
    label, state = np.zeros(1, np.int32), steps.initial_state(1)
    started = time.perf_counter()
    for _ in range(STEP_CALLS):
        predicted, state = steps.predict(label, state)
    taken.append((time.perf_counter() - started) / STEP_CALLS)
    started = time.perf_counter()
    for _ in range(STEP_CALLS):
        steps.join(encoded, predicted)
    taken.append((time.perf_counter() - started) / STEP_CALLS)
    return taken
