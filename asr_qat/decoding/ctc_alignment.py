"""Forced alignment of labels to the frames of a CTC model, in numpy."""

from collections.abc import Sequence

import numpy as np

from asr_qat.counted import counted
from asr_qat.decoding.log_softmax import log_softmax
from asr_qat.decoding.timed_label import TimedLabel
from asr_qat.errors import require

STAY, STEP, JUMP = 0, 1, 2  # states back: the same, the one before, over a blank


def align_ctc(logits: np.ndarray, tokens: Sequence[int]) -> list[TimedLabel]:
    """The frames of each label on the likeliest path (Viterbi) that gives these labels.

    The probability of a label is that of its surest frame: CTC has one such frame as a rule, and
    neighbours that repeat it.

    Args:
        logits: `[frames, classes]` of one utterance; the last class is the blank.
        tokens: labels, as many as there may be.

    Raises:
        UserError: the labels do not fit into so few frames.
    """
    if not len(tokens):
        return []
    log_probs = log_softmax(logits)
    path = _likeliest_path(log_probs, tokens)
    labels = []
    for index, token in enumerate(tokens):
        first, end = np.searchsorted(path, [2 * index + 1, 2 * index + 2])
        log_prob = float(log_probs[first:end, token].max())
        labels.append(TimedLabel(int(token), int(first), int(end) - 1, log_prob))
    return labels


def _likeliest_path(log_probs: np.ndarray, tokens: Sequence[int]) -> np.ndarray:
    """The state at each frame: `2 i + 1` is label `i`, between and around them are blanks."""
    states = np.full(2 * len(tokens) + 1, log_probs.shape[1] - 1)
    states[1::2] = tokens
    # A label may follow another one directly, unless it is the same.
    no_jump = np.ones(len(states), bool)
    no_jump[3::2] = states[3::2] == states[1:-2:2]
    scores = log_probs[:, states]
    best = np.full(len(states), -np.inf)
    if len(scores):
        best[:2] = scores[0, :2]
    came = np.zeros(scores.shape, np.int8)
    choices = np.full((3, len(states)), -np.inf)
    for frame in range(1, len(scores)):
        choices[STAY] = best
        choices[STEP, 1:] = best[:-1]
        choices[JUMP, 2:] = best[:-2]
        choices[JUMP, no_jump] = -np.inf
        came[frame] = choices.argmax(axis=0)
        best = choices.max(axis=0) + scores[frame]
    state = len(states) - 1 if best[-1] >= best[-2] else len(states) - 2
    labels, frames = counted(len(tokens), "label"), counted(len(scores), "frame")
    require(best[state] > -np.inf, f"{frames} for {labels}: too few")
    path = np.zeros(len(scores), int)
    for frame in range(len(scores) - 1, -1, -1):
        path[frame] = state
        state -= int(came[frame, state])
    return path
