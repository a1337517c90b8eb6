"""What CTC asks of labels, without TensorFlow."""

import numpy as np


def frames_needed(labels: np.ndarray | list[int]) -> int:
    """Encoder frames that CTC needs for these labels: one each, one more between equals."""
    labels = np.asarray(labels)
    return len(labels) + int(np.sum(labels[1:] == labels[:-1]))
