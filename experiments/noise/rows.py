"""What `results/noise.json` holds."""

import dataclasses
import itertools

from asr_qat.provenance import Provenance
from experiments.targets import Row, at_most, without_target
from tflite_export.score.rows import Interval

CLEAN, ALL = "clean", "all"  # no noise; all noises together
PROMISED_DB = 10.0  # at which int4 by training is to lose nothing


@dataclasses.dataclass(frozen=True)
class NoiseRow:
    """A file in one noise at one ratio, all draws of the noise together.

    Attributes:
        kind: of the model.
        file: name of the variant, as in the demo.
        noise: name of the noise, or `clean`, or `all`.
        snr_db: ratio of the recordings' power to that of the noise; None of clean ones.
        wer: word error rate, as a share.
        wer_ci: its 95% interval, of other utterances.
        baseline: variant that the difference is to; None of the first float file.
        wer_diff: own rate minus the baseline's.
        wer_diff_ci: its paired 95% interval.
    """

    kind: str
    file: str
    noise: str
    snr_db: float | None
    wer: float
    wer_ci: Interval
    baseline: str | None
    wer_diff: float | None
    wer_diff_ci: Interval | None

    @property
    def condition(self) -> str:
        """The noise and its ratio in words."""
        if self.snr_db is None:
            return self.noise
        return f"{'all noises' if self.noise == ALL else self.noise} {self.snr_db:g} dB"


@dataclasses.dataclass(frozen=True, kw_only=True)
class NoiseResults(Provenance):
    """The demo's files on clean recordings and in noise.

    Attributes:
        data: name of the recordings.
        utterances: how many.
        words: in their references.
        draws: of each noise, by seeds from 0 on.
        trained: name of the variant that was quantized in training.
        rows: of each kind, noise, ratio and file.
        targets: what was promised of them.
    """

    data: str
    utterances: int
    words: int
    draws: int
    trained: str
    rows: tuple[NoiseRow, ...]
    targets: tuple[Row, ...] = ()

    def with_targets(self) -> "NoiseResults":
        """The same with `targets` of the rows at `PROMISED_DB`, and clean figures beside them."""
        found: list[Row] = []
        for row in self.rows:
            if row.file != self.trained or row.snr_db not in (None, PROMISED_DB):
                continue
            assert row.wer_diff_ci is not None
            low, high = (100 * bound for bound in row.wer_diff_ci)
            name = f"{row.kind}, {row.file}, {row.condition}: {{}} end of the difference, points"
            lower, upper = name.format("lower"), name.format("upper")
            found.append(
                without_target(lower, low) if row.snr_db is None else at_most(lower, low, 0.0)
            )
            if row.noise in (CLEAN, ALL):
                found.append(without_target(upper, high))
        return dataclasses.replace(self, targets=tuple(found))

    @property
    def conditions(self) -> list[tuple[str, list[NoiseRow]]]:
        """Rows of each condition of each kind, by its name."""
        groups = itertools.groupby(self.rows, lambda row: (row.kind, row.condition))
        return [(condition, list(rows)) for (_, condition), rows in groups]
