"""Score files of one float model, quantized in several ways."""

import dataclasses
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from asr_qat.corpora.recordings import recordings
from asr_qat.progress import progress
from asr_qat.training.calibrated import Calibration
from experiments.after_training.rows import NEAREST, SPEECH, FileRow
from tflite_export.convert.convert import convert
from tflite_export.runtime.transcriber import load
from tflite_export.score.statistics import ErrorCounts, paired_interval, word_errors

SPLITS = ("dev", "test")
SECONDS = (8.0,)  # one signature, as of the files of LiteRT's quantizer


class Scorer:
    """Word errors of files on two splits.

    Args:
        data: a prepared folder.
        quiet: without progress.
    """

    def __init__(self, data: Path, quiet: bool = False):
        self._quiet = quiet
        items = {split: recordings(data, split) for split in SPLITS}
        self._references = {split: [each.text for each in found] for split, found in items.items()}
        self._audio = {
            split: [each.read(16000) for each in found] for split, found in items.items()
        }

    def errors(self, content: bytes, name: str) -> dict[str, ErrorCounts]:
        """By split, of a file's bytes."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "model.tflite"
            path.write_bytes(content)
            model = load(path)
        texts = {
            split: [
                model.transcribe(audio)
                for audio in progress(found, f"{name}, {split}", len(found), quiet=self._quiet)
            ]
            for split, found in self._audio.items()
        }
        return {
            split: word_errors(self._references[split], found) for split, found in texts.items()
        }


@dataclasses.dataclass(frozen=True)
class Measured:
    """A file, its errors by split, and the seconds of its conversion."""

    content: bytes
    errors: dict[str, ErrorCounts]
    seconds: float | None = None


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
    )


def converted(
    scorer: Scorer, model: Path, precision: str, calibration: Calibration | None
) -> Measured:
    """A file of a model directory, as the command makes it."""
    name = f"{precision} {NEAREST if calibration is None else SPEECH}"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        started = time.perf_counter()
        convert(model, path, precision, SECONDS, calibration)
        seconds, content = time.perf_counter() - started, path.read_bytes()
    return Measured(content, scorer.errors(content, name), seconds)


def _both(errors: dict[str, ErrorCounts]) -> ErrorCounts:
    return ErrorCounts.joined([errors[split] for split in SPLITS])


def words_of(measured: Measured) -> int:
    """Words in the transcripts of both splits."""
    return int(_both(measured.errors).lengths.sum())


def rates(measured: Measured) -> tuple[float, float, float]:
    """Error rates on dev, on test and on both."""
    dev, test = (measured.errors[split].rate for split in SPLITS)
    return dev, test, _both(measured.errors).rate
