"""Word errors of cells, and how cells differ from others of the same seeds."""

import functools
from typing import Any

import numpy as np

from tflite_export.score.statistics import (
    ErrorCounts,
    paired_interval,
    speaker_interval,
    word_errors,
)

Cell = dict[str, Any]  # content of its file
Cells = dict[str, Cell]  # by name
References = dict[str, list[str]]  # texts of each split
Speakers = dict[str, list[str]]  # of each utterance of each split, empty where unknown


def errors(cell: Cell, references: References, splits: tuple[str, ...]) -> ErrorCounts:
    """Word errors of each utterance of these splits, one split after the other."""
    parts = [
        _word_errors(tuple(references[s]), tuple(cell["splits"][s]["hypotheses"])) for s in splits
    ]
    return ErrorCounts(
        np.concatenate([part.errors for part in parts]),
        np.concatenate([part.lengths for part in parts]),
    )


def compared(
    pairs: list[tuple[Cell, Cell]], references: References, speakers: Speakers
) -> dict[str, Any]:
    """The difference of cells to others, over all seeds and splits.

    `wer_diff` is the difference of the rates of all cells together, `wer_diff_by_seed` that of
    each pair. `wer_diff_ci` is its paired bootstrap interval: utterances of all splits are drawn
    with replacement, one draw for all seeds and both sides, since what one utterance asks is the
    same for all of them and their errors on it are not independent. So it is the interval of
    these trainings on other utterances. `wer_diff_ci_speakers` draws speakers and seeds, see
    `speaker_interval`.

    Args:
        pairs: a cell and the other one of its seed, for each seed.
        references: texts of each split.
        speakers: of the same utterances; an utterance without one is its own.
    """
    splits = tuple(references)
    own, other = ([errors(pair[side], references, splits) for pair in pairs] for side in (0, 1))
    mine, its = (np.array([count.errors for count in side]) for side in (own, other))
    words = own[0].lengths
    total, total_other = (ErrorCounts(e.sum(axis=0), len(pairs) * words) for e in (mine, its))
    by_seed = [one.rate - two.rate for one, two in zip(own, other, strict=True)]
    return {
        "wer_diff": total.rate - total_other.rate,
        "wer_diff_ci": paired_interval(total, total_other),
        "wer_diff_ci_speakers": speaker_interval(mine, its, words, numbered(speakers)),
        "wer_diff_by_seed": by_seed,
        "paired_seeds": [cell["seed"] for cell, _ in pairs],
    }


def numbered(speakers: Speakers) -> np.ndarray:
    """A number for each utterance, the same for all of a speaker: int64 `[utterances]`."""
    numbers: dict[str | tuple[str, int], int] = {}
    return np.array(
        [
            numbers.setdefault(speaker or (split, place), len(numbers))
            for split, each in speakers.items()
            for place, speaker in enumerate(each)
        ]
    )


# Each baseline is compared with many cells: its errors are counted once.
@functools.lru_cache(maxsize=4096)
def _word_errors(references: tuple[str, ...], hypotheses: tuple[str, ...]) -> ErrorCounts:
    return word_errors(list(references), list(hypotheses))
