"""Rows on the runtime: what it takes to install it, and how fast it starts."""

import math
import os
import statistics
import time
import wave
from collections.abc import Callable, Sequence
from pathlib import Path

from experiments.house.environment import (
    ROOT,
    USUAL,
    Environment,
    environment,
    newest_version,
    run,
    temporary_folder,
)
from experiments.targets import Row, at_most, equal, without_target

MODEL = ROOT / "tests/data/tones_ctc.tflite"
RUNS = 9
MOST_MB, MOST_INSTALL_S = 200.0, 60.0
MOST_HELP_S, MOST_TRANSCRIBE_S = 0.2, 0.5
# Whether a command loads TensorFlow: it runs, and then says so.
LOADED = """
import sys
from tflite_export.cli import main
try:
    main()
except SystemExit:
    print("tensorflow" in sys.modules)
"""


def install_megabytes() -> Row:
    """With pip, which a fresh environment has."""
    usual = environment(USUAL)
    return at_most(f"MB of an installation, Python {usual.version}", usual.megabytes, MOST_MB)


def install_megabytes_newest() -> Row:
    """The same on the newest Python."""
    newest = environment(newest_version())
    return at_most(
        f"MB of an installation, newest Python ({newest.version})", newest.megabytes, MOST_MB
    )


def install_seconds() -> Row:
    """From nothing, downloads included."""
    usual = environment(USUAL)
    seconds = usual.install_seconds
    return at_most(f"seconds of an installation, Python {usual.version}", seconds, MOST_INSTALL_S)


def install_seconds_newest() -> Row:
    """The same on the newest Python."""
    newest = environment(newest_version())
    seconds = newest.install_seconds
    return at_most(
        f"seconds of an installation, newest Python ({newest.version})", seconds, MOST_INSTALL_S
    )


def first_transcription_seconds() -> Row:
    """From nothing to the first text: the installation and the first run of the command."""
    usual = environment(USUAL)
    started = time.perf_counter()
    run(_transcribe(usual))
    seconds = usual.install_seconds + time.perf_counter() - started
    return without_target("seconds to the first transcription", seconds)


def help_seconds() -> Row:
    """Of `asr-qat --help`, by the clock."""
    usual = environment(USUAL)
    seconds, _ = _median_seconds([usual.bin / "asr-qat", "--help"])
    return at_most("seconds of asr-qat --help", seconds, MOST_HELP_S)


def help_processor_seconds() -> Row:
    """The same in processor time, which does not depend on what else the machine does."""
    usual = environment(USUAL)
    _, seconds = _median_seconds([usual.bin / "asr-qat", "--help"])
    return at_most("processor seconds of asr-qat --help", seconds, MOST_HELP_S)


def transcribe_seconds() -> Row:
    """Of `tflite-export transcribe` with two seconds of sound, by the clock."""
    usual = environment(USUAL)
    seconds, _ = _median_seconds(_transcribe(usual))
    return at_most("seconds of tflite-export transcribe", seconds, MOST_TRANSCRIBE_S)


def transcribe_processor_seconds() -> Row:
    """The same in processor time."""
    usual = environment(USUAL)
    _, seconds = _median_seconds(_transcribe(usual))
    return at_most("processor seconds of tflite-export transcribe", seconds, MOST_TRANSCRIBE_S)


def tensorflow_is_loaded() -> Row:
    """By a transcription."""
    usual = environment(USUAL)
    words = _transcribe(usual)[1:]
    said = run([usual.bin / "python", "-c", LOADED, *words])
    return equal("TensorFlow is loaded by a transcription", said.split()[-1] == "True", False)


ROWS: list[Callable[[], Row]] = [
    install_megabytes,
    install_seconds,
    first_transcription_seconds,
    help_seconds,
    help_processor_seconds,
    transcribe_seconds,
    transcribe_processor_seconds,
    tensorflow_is_loaded,
    install_megabytes_newest,
    install_seconds_newest,
]


def _transcribe(where: Environment) -> list[str | Path]:
    return [where.bin / "tflite-export", "transcribe", MODEL, _recording()]


def _recording() -> Path:
    """Two seconds of a tone."""
    path = temporary_folder() / "tone.wav"
    if not path.exists():
        tone = (round(6000 * math.sin(0.3 * n)) for n in range(32000))
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, 16000, 0, "NONE", ""))
            file.writeframes(b"".join(n.to_bytes(2, "little", signed=True) for n in tone))
    return path


def _median_seconds(command: Sequence[str | Path]) -> tuple[float, float]:
    """Medians of several runs: by the clock, and of the processor."""
    clock, processor = [], []
    for _ in range(RUNS):
        before, started = os.times(), time.perf_counter()
        run(command)
        clock.append(time.perf_counter() - started)
        after = os.times()
        used = after.children_user + after.children_system
        processor.append(used - before.children_user - before.children_system)
    return statistics.median(clock), statistics.median(processor)
