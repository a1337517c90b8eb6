"""Logarithms of probabilities, in numpy."""

import numpy as np


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Logits `[rows, classes]` to log-probabilities (nats), float64."""
    shifted = logits - logits.max(axis=-1, keepdims=True).astype(np.float64)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
