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
    best = np.argmax(logits, axis=-1)
    starts = np.concatenate([[True], best[1:] != best[:-1]]) if len(best) else []
    return [int(token) for token in best[starts] if token != blank] if len(best) else []
