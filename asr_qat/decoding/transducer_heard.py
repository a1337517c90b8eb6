"""At which frames the labels of a transducer are heard, near those where a search has them."""

import dataclasses
from collections.abc import Sequence

import numpy as np

from asr_qat.decoding.log_softmax import log_softmax
from asr_qat.decoding.timed_label import TimedLabel
from asr_qat.decoding.transducer_steps import TransducerSteps, predictions

NEAR = 5  # frames before and after


def heard_at(
    steps: TransducerSteps, encoded: np.ndarray, labels: Sequence[TimedLabel], near: int = NEAR
) -> list[TimedLabel]:
    """Each label at the frame near its own where it is likeliest, given the labels before it.

    A search writes a label when it outweighs the blank, which may be long before or after: models
    are trained to write labels in their order, not at their time. The order stays, and so do
    lengths and probabilities.

    Args:
        steps: the model.
        encoded: float32 `[frames, joint]`.
        labels: of a search or an alignment.
        near: frames before and after that are looked at.
    """
    contexts = predictions(steps, [label.token for label in labels])
    found: list[TimedLabel] = []
    earliest = 0
    for label, context in zip(labels, contexts[:-1], strict=True):
        low = max(earliest, label.first - near)
        high = min(max(low, label.first + near), len(encoded) - 1)
        frames = encoded[low : high + 1]
        logits = steps.join(frames, np.repeat(context[None], len(frames), axis=0))
        scores = log_softmax(logits[:, : steps.blank + 1])[:, label.token]
        earliest = low + int(scores.argmax())
        last = earliest + label.last - label.first
        found.append(dataclasses.replace(label, first=earliest, last=last))
    return found
