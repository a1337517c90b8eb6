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

    With durations the best of them says how many frames to go on, after labels and blanks alike;
    a blank goes on by one at least (as NeMo's `greedy_batch` of TDT models).

    All utterances go on together, each at its own frame; the prediction network runs only for
    those that emitted a label.

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
    frames, symbols = np.zeros((2, len(encoded)), int)
    while len(rows := np.flatnonzero(frames < lengths)):
        logits = steps.join(encoded[rows, frames[rows]], predicted[rows])
        labels, skipped = best_moves(logits, steps.blank, steps.durations)
        symbols[rows] = np.where(skipped > 0, 0, symbols[rows] + 1)
        full = symbols[rows] == max_symbols
        symbols[rows[full]] = 0
        frames[rows] += np.where(full, 1, skipped)
        emitted = labels != steps.blank
        rows, labels = rows[emitted], labels[emitted]
        if not len(rows):
            continue
        for row, label in zip(rows.tolist(), labels.tolist(), strict=True):
            tokens[row].append(label)
        predicted[rows], after = steps.predict(labels, tuple(part[rows] for part in state))
        for part, new in zip(state, after, strict=True):
            part[rows] = new
    return tokens


def best_moves(
    logits: np.ndarray, blank: int, durations: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """The best label of each row, int32 `[rows]`, and by how many frames it goes on, int `[rows]`.

    Args:
        logits: float32 `[rows, classes]`.
        blank: see `TransducerSteps`.
        durations: likewise.
    """
    labels = logits[:, : blank + 1].argmax(axis=-1).astype(np.int32)
    skipped = (labels == blank).astype(int)
    if durations:
        best = logits[:, blank + 1 :].argmax(axis=-1)
        skipped = np.maximum(np.array(durations)[best], skipped)
    return labels, skipped
