"""The files of a network with initial weights, and how they run in processes of their own."""

import hashlib
from pathlib import Path

import numpy as np

from asr_qat.progress import progress
from asr_qat.text.tokenizer import Tokenizer
from experiments.pretrained_scale.running import MIB, Running, litert, size_mb
from experiments.two_bit_speed.rows import FOUR_BITS, FileRow, NetworkRow, widened_to
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.runtime.widen import NO, TYPES, Widen
from tflite_export.score.fresh_process import result_of

SECONDS = 10.0  # of audio, and of the one signature
PRECISIONS = {4: "w4a8", 2: "w2a8"}
LENGTHS = (1.0, 0.6, 0.2)  # of utterances whose outputs are compared, as shares of the longest
LOUDNESS = (0.01, 1.0, 100.0)  # of the same


def measure(
    preset: str, tokenizer: Path, work: Path, rounds: int, starts: int, quiet: bool
) -> NetworkRow:
    """Write the files of a preset, and run them in turn.

    Args:
        preset: of a CTC model.
        tokenizer: SentencePiece model; its size is the number of outputs.
        work: folder that keeps the files for the next time.
        rounds: timed runs of each file.
        starts: processes that load each file.
        quiet: no progress.
    """
    folder = work / preset
    paths = {bits: folder / f"{precision}.tflite" for bits, precision in PRECISIONS.items()}
    model = folder / "model"
    if not model.exists():
        result_of(write_model, preset, str(tokenizer), str(model))
    for bits, path in progress(paths.items(), f"convert {preset}", len(paths), "file", quiet):
        if not path.exists():
            result_of(write_file, str(model), str(path), PRECISIONS[bits])
    runs: list[tuple[str, Path, Widen]] = [(FOUR_BITS, paths[4], NO), (widened_to(2), paths[2], NO)]
    runs += [(widened_to(bits), paths[2], bits) for bits in TYPES]
    commands = [litert(path, widen=widen) for _, path, widen in runs]
    cache = work / "cache"  # stays empty
    taken = _times(commands, cache, rounds, f"time {preset}", quiet)
    loaded = _starts(commands, cache, starts, f"load {preset}", quiet)
    expected = result_of(digest, str(paths[2]), NO)
    rows = []
    for (name, path, widen), own, start in zip(runs, taken.T, loaded, strict=True):
        rows.append(
            FileRow(
                weights=name,
                mb=size_mb(path),
                cpu_ms=float(np.median(own)),
                speed=float(np.median(taken[:, 0] / own)),
                load_ms=start["load_ms"],
                first_ms=start["first_ms"],
                anonymous_mb=start["anonymous_mb"] * MIB,
                peak_mb=start["peak_mb"] * MIB,
                identical=None if widen == NO else result_of(digest, str(path), widen) == expected,
            )
        )
    return NetworkRow(
        preset=preset, parameters=result_of(parameters_of, str(model)), files=tuple(rows)
    )


def write_model(preset: str, tokenizer: str, directory: str) -> None:
    """Write a model directory of initial weights."""
    from experiments.scale.scale import write_initial

    write_initial("ctc", preset, Tokenizer.load(tokenizer), Path(directory), seed=0)


def write_file(directory: str, path: str, precision: str) -> None:
    """Convert it."""
    from tflite_export.convert.convert import convert

    convert(directory, path, precision, (SECONDS,))


def parameters_of(directory: str) -> int:
    """Parameters of a model directory."""
    from experiments.pretrained_scale.networks import parameters_of

    return parameters_of(directory)


def digest(path: str, widen: Widen) -> str:
    """SHA-256 of what a file computes of noise: short and long, quiet and loud."""
    device, rng = TFLiteRecogniser(path, widen=widen), np.random.default_rng(0)
    found = hashlib.sha256()
    for share, loudness in zip(LENGTHS, LOUDNESS, strict=True):
        shape = round(share * device.lengths[-1]), device.metadata.front_end.mel_bins
        features = loudness * rng.standard_normal(shape)
        found.update(np.ascontiguousarray(device.encode(features.astype(np.float32))).data)
    return found.hexdigest()


def _times(
    commands: list[list[str]], cache: Path, rounds: int, what: str, quiet: bool
) -> np.ndarray:
    """CPU time, ms `[rounds, commands]`, each once in each round, after one that is not timed."""
    running = [Running(command, cache) for command in commands]
    for each in running:
        each.again()
    shown = progress(range(rounds), what, rounds, "round", quiet)
    taken = np.array([[each.again() for each in running] for _ in shown])
    for each in running:
        each.end()
    return taken


def _starts(
    commands: list[list[str]], cache: Path, count: int, what: str, quiet: bool
) -> list[dict[str, float]]:
    """Medians of what fresh processes say of loading and the first run, in turn."""
    found: list[list[dict[str, float]]] = [[] for _ in commands]
    for _ in progress(range(count), what, count, "round", quiet):
        for command, own in zip(commands, found, strict=True):
            process = Running(command, cache)
            process.end()
            own.append(process.first)
    return [{key: float(np.median([each[key] for each in own])) for key in own[0]} for own in found]
