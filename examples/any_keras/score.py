"""What a file of an example is worth: accuracy, bytes and speed, of several files side by side."""

import dataclasses
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from tensorflow import keras

from examples.any_keras.workflow import FLOAT, WORK, Example, Split, write
from tflite_export.score.equivalence import judge
from tflite_export.score.rows import Interval
from tflite_export.score.statistics import ErrorCounts, interval, paired_interval

ROUNDS, RUNS = 21, 20  # of timing: runs of each file in each round


@dataclasses.dataclass(frozen=True)
class FileRow:
    """A file on the test examples. Accuracies are shares, intervals those of 95%.

    Attributes:
        name: what was done to the model.
        bytes: of the file.
        accuracy: on the test examples.
        accuracy_ci: its interval.
        latency_ms: of one example with one thread, CPU time, the median.
        difference: of the accuracy to that of the first file, None for that one.
        difference_ci: its paired interval.
        verdict: see `tflite_export.score.equivalence`; the margin is one point.
    """

    name: str
    bytes: int
    accuracy: float
    accuracy_ci: Interval
    latency_ms: float
    difference: float | None = None
    difference_ci: Interval | None = None
    verdict: str | None = None


def classes(path: Path, split: Split) -> np.ndarray:
    """The class that a file gives each example, int `[examples]`."""
    run = Interpreter(str(path), num_threads=1).get_signature_runner()
    found = []
    for index in range(len(split.labels)):
        outputs = run(**{name: x[index : index + 1] for name, x in split.inputs.items()})
        found.append(_logits(outputs).argmax())
    return np.array(found)


def score(files: Mapping[str, Path], test: Split) -> list[FileRow]:
    """Rows of files by name, the first of which is what the others are compared to."""
    wrong = {name: _errors(classes(path, test), test) for name, path in files.items()}
    times = latencies(files, test)
    base = wrong[FLOAT]
    return [_row(name, files[name], counts, base, times) for name, counts in wrong.items()]


def latencies(files: Mapping[str, Path], test: Split) -> dict[str, float]:
    """Milliseconds of CPU that the first example takes, the median: files are timed in turn."""
    first = {name: x[:1] for name, x in test.inputs.items()}
    interpreters = {name: Interpreter(str(path), num_threads=1) for name, path in files.items()}
    for each in interpreters.values():
        each.get_signature_runner()(**first)  # it stays in the inputs
    times: dict[str, list[float]] = {name: [] for name in files}
    for _ in range(ROUNDS):
        for name, each in interpreters.items():
            started = time.process_time()
            for _ in range(RUNS):
                each.invoke()
            times[name].append((time.process_time() - started) / RUNS)
    return {name: 1000 * float(np.median(each)) for name, each in times.items()}


def show(example: Example, folder: Path = WORK) -> dict[str, keras.Model]:
    """Train, export and score all variants of an example; print the table.

    Returns:
        The models by name.
    """
    train, test = example.data()
    models = example.variants(example.trained(train), train)
    print(table(score(write(models, test, folder / example.name.replace(" ", "_")), test)))
    return models


def table(rows: list[FileRow]) -> str:
    """The rows for a terminal."""
    lines = [f"{'':34} {'accuracy % [95%]':>20} {'to float, points':>22} {'kB':>7} {'ms':>7}"]
    for row in rows:
        low, high = (100 * bound for bound in row.accuracy_ci)
        accuracy = f"{100 * row.accuracy:.2f} [{low:.1f}, {high:.1f}]"
        difference = ""
        if row.difference is not None and row.difference_ci is not None:
            low, high = (100 * bound for bound in row.difference_ci)
            difference = f"{100 * row.difference:+.2f} [{low:+.2f}, {high:+.2f}]"
        lines.append(
            f"{row.name:34} {accuracy:>20} {difference:>22} {row.bytes / 1000:7.1f} "
            f"{row.latency_ms:7.3f} {row.verdict or ''}"
        )
    return "\n".join(lines)


def _logits(outputs: Mapping[str, np.ndarray]) -> np.ndarray:
    """The output `[1, classes]`; states have more dimensions."""
    (found,) = [output for output in outputs.values() if output.ndim == 2]
    return found[0]


def _errors(found: np.ndarray, split: Split) -> ErrorCounts:
    return ErrorCounts((found != split.labels).astype(int), np.ones(len(found), int))


def _row(
    name: str, path: Path, wrong: ErrorCounts, base: ErrorCounts, times: Mapping[str, float]
) -> FileRow:
    row = FileRow(
        name=name,
        bytes=path.stat().st_size,
        accuracy=1 - wrong.rate,
        accuracy_ci=_accuracy(interval(wrong), 1),
        latency_ms=times[name],
    )
    if wrong is base:
        return row
    more, within = wrong.rate - base.rate, paired_interval(wrong, base)
    return dataclasses.replace(
        row,
        difference=base.rate - wrong.rate,
        difference_ci=_accuracy(within, 0),
        verdict=judge(more, within).verdict,
    )


def _accuracy(errors: Interval, whole: int) -> Interval:
    low, high = errors
    return whole - high, whole - low
