"""At which frames a greedy transducer search emitted its labels, and how sure it was."""

import numpy as np

from asr_qat.decoding.log_softmax import log_softmax
from asr_qat.decoding.timed_label import TimedLabel
from asr_qat.decoding.transducer_greedy import best_moves
from asr_qat.decoding.transducer_steps import MAX_SYMBOLS


def emitted(
    logits: np.ndarray, blank: int, durations: tuple[int, ...] = (), max_symbols: int = MAX_SYMBOLS
) -> list[TimedLabel]:
    """Follow the moves of a greedy search of one utterance again.

    A label lasts as long as its duration says, a frame at least. Its probability is that among
    labels: how much the blank took says when, not what.

    Args:
        logits: `[steps, classes]`, those of `recognise_transducer`.
        blank: see `TransducerSteps`.
        durations: likewise.
        max_symbols: of the search.
    """
    if not len(logits):
        return []
    tokens, skipped = best_moves(logits, blank, durations)
    labels = log_softmax(logits[:, :blank])
    found = []
    frame = symbols = 0
    for step, (token, ahead) in enumerate(zip(tokens.tolist(), skipped.tolist(), strict=True)):
        if token != blank:
            log_prob = float(labels[step, token])
            found.append(TimedLabel(token, frame, frame + max(ahead, 1) - 1, log_prob))
        symbols = 0 if ahead else symbols + 1
        if symbols == max_symbols:  # the search goes on by itself
            frame, symbols = frame + 1, 0
        frame += ahead
    return found
