"""Score files of one float model, quantized in several ways."""

import dataclasses
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from asr_qat.arrays import Array
from asr_qat.corpora.recordings import recordings
from asr_qat.decoding.log_softmax import log_softmax
from asr_qat.training.calibrated import Calibration
from experiments.after_training.rows import FileRow
from tflite_export.convert.convert import convert
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.evaluate import run
from tflite_export.score.statistics import ErrorCounts, paired_interval, word_errors

SPLITS = ("dev", "test")
SECONDS = (8.0,)  # one signature, as of the files of LiteRT's quantizer


class Scorer:
    """Word errors of files on two splits, and what they compute.

    Args:
        data: a prepared folder.
        quiet: without progress.
    """

    def __init__(self, data: Path, quiet: bool = False):
        self._quiet = quiet
        items = {split: recordings(data, split) for split in SPLITS}
        self._references = {split: [each.text for each in found] for split, found in items.items()}
        self._items = items

    def measured(self, content: bytes, seconds: float | None = None) -> "Measured":
        """Of a file's bytes, and the seconds of its conversion."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            path.write_bytes(content)
            model = TFLiteRecogniser(path)
        runs = {split: run(model, items, self._quiet) for split, items in self._items.items()}
        errors = {
            split: word_errors(self._references[split], found.hypotheses)
            for split, found in runs.items()
        }
        logits = [each for found in runs.values() for each in found.logits]
        return Measured(content, errors, seconds, np.concatenate(logits))


@dataclasses.dataclass(frozen=True)
class Measured:
    """A file, its errors by split, the seconds of its conversion, and its logits.

    The logits are `[frames of all recordings, classes]`.
    """

    content: bytes
    errors: dict[str, ErrorCounts]
    seconds: float | None = None
    logits: Array | None = dataclasses.field(default=None, compare=False)


def divergence(plain: Array, found: Array) -> float:
    """Mean over frames of the relative entropy of what a file says to what the float one says.

    Args:
        plain: logits `[frames, classes]` of the float file.
        found: the same of the other one.
    """
    expected, own = log_softmax(plain), log_softmax(found)
    return float((np.exp(expected) * (expected - own)).sum(axis=-1).mean())


def file_row(by: str, precision: str, files: Sequence[Measured], plain: Measured) -> FileRow:
    """The row of several files made in one way; `plain` is the float one."""
    counts = [_both(each.errors) for each in files]
    found = ErrorCounts.added(counts)
    base = ErrorCounts.added([_both(plain.errors)] * len(files))
    return FileRow(
        by=by,
        precision=precision,
        bytes=len(files[0].content),
        dev_wer=tuple(each.errors["dev"].rate for each in files),
        test_wer=tuple(each.errors["test"].rate for each in files),
        wer=found.rate,
        wer_diff=found.rate - base.rate,
        wer_diff_ci=paired_interval(found, base),
        seconds=tuple(each.seconds for each in files if each.seconds is not None),
        divergence=tuple(
            divergence(plain.logits, each.logits)
            for each in files
            if plain.logits is not None and each.logits is not None
        ),
    )


def converted(
    scorer: Scorer, model: Path, precision: str, calibration: Calibration | None
) -> Measured:
    """A file of a model directory, as the command makes it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        started = time.perf_counter()
        convert(model, path, precision, SECONDS, calibration)
        seconds, content = time.perf_counter() - started, path.read_bytes()
    return scorer.measured(content, seconds)


def _both(errors: dict[str, ErrorCounts]) -> ErrorCounts:
    return ErrorCounts.joined([errors[split] for split in SPLITS])


def words_of(measured: Measured) -> int:
    """Words in the transcripts of both splits."""
    return int(_both(measured.errors).lengths.sum())


def rates(measured: Measured) -> tuple[float, float, float]:
    """Error rates on dev, on test and on both."""
    dev, test = (measured.errors[split].rate for split in SPLITS)
    return dev, test, _both(measured.errors).rate
