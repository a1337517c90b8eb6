"""What `results/robustness.json` holds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.targets import Row, at_most

MOST_POINTS = 0.6  # by which the WER may change


@dataclasses.dataclass(frozen=True)
class ChangedRow:
    """A file on recordings that were changed.

    Attributes:
        gain_db: their level, beside that of the plain recordings.
        offset: what was added to every sample, as a share of full scale.
        wer: word error rate.
        texts_changed: recordings whose text is not that of the plain recording.
    """

    gain_db: float
    offset: float
    wer: float
    texts_changed: int


@dataclasses.dataclass(frozen=True)
class ModelRow:
    """A file on the plain recordings and on changed ones.

    Attributes:
        name: the file, without suffix.
        kind: of the model.
        precision: of its weights and activations.
        utterances: recordings.
        words: in their transcripts.
        wer: word error rate on the plain recordings.
        wer_ci: its 95% interval.
        changed: on recordings of other levels and with offsets.
        clicked: on recordings that begin with a loud click, which the running level keeps for
            seconds; None of earlier measurements. Nothing is promised of it.
    """

    name: str
    kind: str
    precision: str
    utterances: int
    words: int
    wer: float
    wer_ci: tuple[float, float]
    changed: tuple[ChangedRow, ...]
    clicked: ChangedRow | None = None

    @property
    def worst_points(self) -> float:
        """The largest change of the word error rate, in points, either way."""
        return 100 * max(abs(row.wer - self.wer) for row in self.changed)


@dataclasses.dataclass(frozen=True, kw_only=True)
class RobustnessResults(Provenance):
    """Files on changed recordings.

    Attributes:
        data: name of the recordings.
        models: a row for each file.
        targets: what was promised of them.
    """

    data: str
    models: tuple[ModelRow, ...]
    targets: tuple[Row, ...] = ()

    def with_targets(self) -> "RobustnessResults":
        """The same with `targets` of all rows."""
        rows = [
            at_most(f"{row.name}: WER changes by points", row.worst_points, MOST_POINTS)
            for row in self.models
        ]
        return dataclasses.replace(self, targets=tuple(rows))
