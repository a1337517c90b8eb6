"""Greedy transducer search, in numpy: the same function for training, scoring and devices."""

import numpy as np

from asr_qat.decoding.transducer_steps import MAX_SYMBOLS, TransducerSteps
from asr_qat.errors import require


def greedy_transducer(
    steps: TransducerSteps,
    encoded: np.ndarray,
    lengths: np.ndarray,
    max_symbols: int = MAX_SYMBOLS,
) -> list[list[int]]:
    """The best class at each step: a label stays at the frame, a blank goes to the next one.

    All utterances go through the frames together; the prediction network runs only for those
    that emitted a label.

    Args:
        steps: the model.
        encoded: float32 `[batch, time, joint]`; what is beyond an utterance's end does not matter.
        lengths: int `[batch]`, valid frames of each utterance.
        max_symbols: labels at most from one frame; the search then goes to the next one.

    Returns:
        Token ids of each utterance.
    """
    require(max_symbols >= 1, f"max_symbols is {max_symbols}: at least 1")
    tokens: list[list[int]] = [[] for _ in encoded]
    start = np.full(len(encoded), steps.blank, np.int32)
    first, first_state = steps.predict(start, steps.initial_state(len(encoded)))
    # Copies: rows of them are overwritten.
    predicted, state = np.array(first), [np.array(part) for part in first_state]
    for frame in range(max(lengths, default=0)):
        rows = np.flatnonzero(lengths > frame)
        for _ in range(max_symbols):
            logits = steps.join(encoded[rows, frame], predicted[rows])
            labels = logits.argmax(axis=-1)
            emitted = np.flatnonzero(labels != steps.blank)
            if not len(emitted):
                break
            rows, labels = rows[emitted], labels[emitted].astype(np.int32)
            for row, label in zip(rows.tolist(), labels.tolist(), strict=True):
                tokens[row].append(label)
            before = tuple(part[rows] for part in state)
            predicted[rows], after = steps.predict(labels, before)
            for part, new in zip(state, after, strict=True):
                part[rows] = new
    return tokens
