"""What `results/after_training.json` holds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.targets import Row, at_most, equal

SPEECH = "for speech"  # by whom: ours with `--calibration`
MORE = "for more speech"
NEAREST = "to the nearest"  # ours without
MOST_POINTS = {"w4a8": 0.1, "w3a8": 0.5}  # above float
MOST_SECONDS = 120.0
MOST_WER = {"w2a8": 0.18}
MOST_MINUTES_LARGE = 20.0


@dataclasses.dataclass(frozen=True)
class FileRow:
    """One way to quantize; of ours for speech the mean over files of several draws of it.

    Attributes:
        by: `SPEECH`, `MORE`, `NEAREST`, or a recipe of LiteRT's quantizer.
        precision: of the products.
        bytes: of the file.
        dev_wer: of each file.
        test_wer: of each file.
        wer: on both, the mean.
        wer_diff: to the float file.
        wer_diff_ci: its 95% interval.
        seconds: that each conversion took; none of LiteRT's quantizer.
        divergence: of each file's frames from those of the float file, relative entropy in nats.
            It tells apart what error rates do not. An earlier version did not measure it.
    """

    by: str
    precision: str
    bytes: int
    dev_wer: tuple[float, ...]
    test_wer: tuple[float, ...]
    wer: float
    wer_diff: float
    wer_diff_ci: tuple[float, float]
    seconds: tuple[float, ...] = ()
    divergence: tuple[float, ...] = ()


@dataclasses.dataclass(frozen=True)
class NotRun:
    """A recipe without a file that runs.

    Attributes:
        by: its name.
        precision: of the products.
        reason: what stopped it.
    """

    by: str
    precision: str
    reason: str


@dataclasses.dataclass(frozen=True)
class LargeRow:
    """A network of published size with random weights.

    Attributes:
        name: of the network.
        precision: of the products.
        parameters: weights.
        minutes: that the rounding took.
        error: of the encoder's outputs on other speech than it was rounded for, as a share of
            their deviation.
        error_nearest: the same of weights rounded to the nearest.
    """

    name: str
    precision: str
    parameters: int
    minutes: float
    error: float
    error_nearest: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class AfterTrainingResults(Provenance):
    """Files quantized after training, of one float model.

    Attributes:
        model: the float one.
        data: name of the recordings.
        utterances: of its training speech, without transcripts, in each draw.
        more_utterances: in each draw of rows for more speech.
        peer_utterances: of the first draw, for recipes of LiteRT's quantizer.
        words: that are scored, of dev and test.
        float_wer: dev, test and both.
        rows: a row for each way.
        not_run: recipes that gave no file.
        large: networks of published size.
        targets: what was promised.
    """

    model: str
    data: str
    utterances: int
    peer_utterances: int
    words: int
    float_wer: tuple[float, float, float]
    rows: tuple[FileRow, ...]
    not_run: tuple[NotRun, ...] = ()
    large: tuple[LargeRow, ...] = ()
    more_utterances: int = 0
    targets: tuple[Row, ...] = ()

    def with_targets(self) -> "AfterTrainingResults":
        """The same with `targets` of all rows."""
        found: list[Row] = []
        for row in self.rows:
            if row.by not in (SPEECH, MORE):
                continue
            name = f"{row.precision} {row.by}, {len(row.dev_wer)} draws"
            if row.precision in MOST_POINTS:
                most = MOST_POINTS[row.precision]
                found.append(at_most(f"{name}: points above float", 100 * row.wer_diff, most))
            if row.precision == "w4a8":
                low, high = row.wer_diff_ci
                found.append(equal(f"{name}: its interval holds 0", low <= 0 <= high, True))
                found.append(at_most(f"{name}: seconds, most", max(row.seconds), MOST_SECONDS))
            if row.precision in MOST_WER:
                found.append(
                    at_most(f"{name}: WER %", 100 * row.wer, 100 * MOST_WER[row.precision])
                )
        for large in self.large:
            name = f"{large.name}, {large.precision}"
            found.append(at_most(f"{name}: minutes", large.minutes, MOST_MINUTES_LARGE))
            share = large.error / large.error_nearest
            found.append(at_most(f"{name}: error beside the nearest values", share, 1.0))
        return dataclasses.replace(self, targets=tuple(found))
