"""Error rates with bootstrap intervals over utterances, or over speakers and seeds."""

import dataclasses
from collections.abc import Sequence

import jiwer
import numpy as np
import regex

RESAMPLES = 10_000
LEVEL = 0.95


@dataclasses.dataclass(frozen=True)
class ErrorCounts:
    """Errors and reference length of each utterance.

    Attributes:
        errors: int64 `[utterances]`, substitutions + deletions + insertions.
        lengths: int64 `[utterances]`, words (or characters) in the reference.
    """

    errors: np.ndarray
    lengths: np.ndarray

    @property
    def rate(self) -> float:
        """Error rate over all utterances, as a share."""
        return float(self.errors.sum() / max(self.lengths.sum(), 1))

    @classmethod
    def added(cls, several: "Sequence[ErrorCounts]") -> "ErrorCounts":
        """Of the same utterances, recognised several times: each still counts as one."""
        return cls(
            np.sum([each.errors for each in several], axis=0),
            np.sum([each.lengths for each in several], axis=0),
        )

    @classmethod
    def joined(cls, several: "Sequence[ErrorCounts]") -> "ErrorCounts":
        """Of utterances of several parts, one after the other."""
        return cls(
            np.concatenate([each.errors for each in several]),
            np.concatenate([each.lengths for each in several]),
        )


def word_errors(references: list[str], hypotheses: list[str]) -> ErrorCounts:
    """Word errors of each utterance."""
    return _count(references, hypotheses, jiwer.process_words)


def character_errors(references: list[str], hypotheses: list[str]) -> ErrorCounts:
    """Character errors of each utterance, spaces included.

    A character is what its reader takes for one: a grapheme cluster (Unicode Standard Annex 29),
    letters with their marks.
    """
    return _count(references, hypotheses, _process_graphemes)


def _process_graphemes(reference: str, hypothesis: str) -> jiwer.CharacterOutput:
    return jiwer.process_characters(reference, hypothesis, _GRAPHEMES, _GRAPHEMES)


class _ListOfGraphemes(jiwer.AbstractTransform):
    """As `jiwer.ReduceToListOfListOfChars`, of grapheme clusters."""

    def process_string(self, s: str) -> list[list[str]]:
        return [regex.findall(r"\X", s)]

    def process_list(self, inp: list[str]) -> list[list[str]]:
        return [regex.findall(r"\X", sentence) for sentence in inp] or [[]]


_GRAPHEMES = jiwer.Compose([jiwer.Strip(), _ListOfGraphemes()])


def _count(references: list[str], hypotheses: list[str], process) -> ErrorCounts:
    errors, lengths = [], []
    for reference, hypothesis in zip(references, hypotheses, strict=True):
        found = process(reference, hypothesis)
        errors.append(found.substitutions + found.deletions + found.insertions)
        lengths.append(found.hits + found.substitutions + found.deletions)
    return ErrorCounts(np.array(errors), np.array(lengths))


def interval(counts: ErrorCounts, seed: int = 0) -> tuple[float, float]:
    """95% bootstrap interval of the error rate; utterances are drawn with replacement."""
    errors, lengths = _resampled(counts.lengths, [counts.errors], seed)
    return _percentiles(errors[0] / lengths)


def paired_interval(
    counts: ErrorCounts, baseline: ErrorCounts, seed: int = 0
) -> tuple[float, float]:
    """95% bootstrap interval of the rate's difference to `baseline` on the same utterances.

    Both rates are computed from the same draw, so that what is hard for both cancels
    (Bisani and Ney, 2004).
    """
    errors, lengths = _resampled(counts.lengths, [counts.errors, baseline.errors], seed)
    return _percentiles((errors[0] - errors[1]) / lengths)


def speaker_interval(
    errors: np.ndarray, baseline: np.ndarray, lengths: np.ndarray, speakers: np.ndarray, seed=0
) -> tuple[float, float] | None:
    """95% bootstrap interval of the difference if others speak and other seeds are trained.

    Utterances of one speaker are not independent, nor are the errors of one training. So speakers
    are drawn with all that they say, and seeds, each with replacement and the same for both sides.

    Args:
        errors: int64 `[seeds, utterances]`.
        baseline: of the same seeds.
        lengths: int64 `[utterances]`, words in the reference.
        speakers: int64 `[utterances]`, a number for each speaker.
        seed: of the draws.

    Returns:
        The interval of the rate's difference to `baseline`; None where all is of one speaker.
    """
    _, places = np.unique(speakers, return_inverse=True)
    count, seeds = places.max() + 1, len(errors)
    if count == 1:
        return None
    more = np.array([np.bincount(places, row, count) for row in errors - baseline])
    words = np.bincount(places, lengths, count)
    rng = np.random.default_rng(seed)
    who = rng.integers(0, count, (RESAMPLES, count))
    drawn = rng.integers(0, seeds, (RESAMPLES, seeds))
    times = (drawn[:, :, None] == np.arange(seeds)).sum(axis=1)  # that each seed is drawn
    total = np.take_along_axis(times @ more, who, axis=1).sum(axis=1)
    return _percentiles(total / np.maximum(seeds * words[who].sum(axis=1), 1))


def _resampled(lengths, errors, seed):
    rng = np.random.default_rng(seed)
    draws = rng.integers(0, len(lengths), (RESAMPLES, len(lengths)))
    return [e[draws].sum(axis=1) for e in errors], np.maximum(lengths[draws].sum(axis=1), 1)


def _percentiles(values) -> tuple[float, float]:
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(values, [tail, 100 - tail])
    return float(low), float(high)
