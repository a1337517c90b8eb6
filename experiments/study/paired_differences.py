"""Word errors of cells, and how cells differ from others of the same seeds."""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np

from experiments.study.cell_rows import CellResult
from experiments.study.study_rows import PairedDifference
from tflite_export.score.statistics import (
    ErrorCounts,
    paired_interval,
    speaker_interval,
    word_errors,
)

Cells = Mapping[str, CellResult]  # by name
Pairs = Sequence[tuple[CellResult, CellResult]]  # a cell and the other one of its seed


@dataclasses.dataclass(frozen=True)
class Spoken:
    """What was said in the recordings that all cells are scored on, and by whom.

    Attributes:
        references: texts of each split.
        speakers: of the same utterances, empty where unknown.
    """

    references: Mapping[str, Sequence[str]]
    speakers: Mapping[str, Sequence[str]]

    @property
    def splits(self) -> tuple[str, ...]:
        """Their names, that of the main figures first."""
        return tuple(self.references)

    @property
    def utterances(self) -> int:
        """Of all splits."""
        return sum(map(len, self.references.values()))

    def speaker_numbers(self) -> np.ndarray:
        """A number for each utterance, the same for all of a speaker: int64 `[utterances]`.

        An utterance without a speaker is its own.
        """
        numbers: dict[str | tuple[str, int], int] = {}
        return np.array(
            [
                numbers.setdefault(speaker or (split, place), len(numbers))
                for split, each in self.speakers.items()
                for place, speaker in enumerate(each)
            ]
        )

    def errors(self, cell: CellResult, *splits: str) -> ErrorCounts:
        """Word errors of each utterance of these splits, one split after the other."""
        parts = [
            _word_errors(tuple(self.references[split]), cell.splits[split].hypotheses)
            for split in splits
        ]
        return ErrorCounts.joined(parts)

    def rate(self, cells: Sequence[CellResult]) -> float:
        """Error rate of all cells and splits together."""
        return sum(self.errors(cell, *self.splits).rate for cell in cells) / len(cells)


def paired_difference(pairs: Pairs, spoken: Spoken) -> PairedDifference:
    """The difference of cells to others, over all seeds and splits.

    `wer_diff_ci` is a paired bootstrap interval: utterances of all splits are drawn with
    replacement, one draw for all seeds and both sides, since what one utterance asks is the same
    for all of them and their errors on it are not independent. So it is the interval of these
    trainings on other utterances. `wer_diff_ci_speakers` draws speakers and seeds, see
    `speaker_interval`.
    """
    own, other = ([spoken.errors(pair[side], *spoken.splits) for pair in pairs] for side in (0, 1))
    mine, its = (np.array([count.errors for count in side]) for side in (own, other))
    words = own[0].lengths
    total, total_other = (ErrorCounts.added(side) for side in (own, other))
    return PairedDifference(
        wer_diff=total.rate - total_other.rate,
        wer_diff_ci=paired_interval(total, total_other),
        wer_diff_ci_speakers=speaker_interval(mine, its, words, spoken.speaker_numbers()),
        wer_diff_by_seed=tuple(a.rate - b.rate for a, b in zip(own, other, strict=True)),
        paired_seeds=tuple(cell.seed for cell, _ in pairs),
    )


# Each baseline is compared with many cells: its errors are counted once.
@functools.lru_cache(maxsize=4096)
def _word_errors(references: tuple[str, ...], hypotheses: tuple[str, ...]) -> ErrorCounts:
    return word_errors(list(references), list(hypotheses))
