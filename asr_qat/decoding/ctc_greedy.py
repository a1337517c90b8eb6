"""Greedy CTC search, in numpy: the same function for training, scoring and devices."""

import numpy as np


def greedy_ctc(logits: np.ndarray, blank: int) -> list[int]:
    """The best class of each frame, repetitions merged, blanks removed.

    Args:
        logits: `[frames, classes]` of one utterance, without padding.
        blank: index of the blank class.

    Returns:
        Token ids.
    """
    return merged(np.argmax(logits, axis=-1), blank)


def merged(best: np.ndarray, blank: int) -> list[int]:
    """Classes of frames, int `[frames]`: repetitions merged, blanks removed."""
    starts = np.diff(best, prepend=-1) != 0
    return [int(token) for token in best[starts] if token != blank]
