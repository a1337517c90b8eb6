"""What a transducer search asks of a model, whatever runs it: Keras or LiteRT."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

# Rows of float32 `[rows, n]` arrays: all that a prediction network remembers of the labels.
State = tuple[np.ndarray, ...]

# Labels of one frame, at most. It only has to end the loop of a model that never emits a blank:
# speech has fewer than one word piece in each 40 ms.
MAX_SYMBOLS = 10


class TransducerSteps(Protocol):
    """The prediction and the joint network, on any number of rows at once.

    Rows do not depend on each other. The searches change nothing of what they get.
    """

    @property
    def blank(self) -> int:
        """Index of the blank: the class after the labels."""

    @property
    def durations(self) -> tuple[int, ...]:
        """Frames of each duration, whose classes are after the blank; none of a plain one.

        A token-and-duration transducer (TDT; Xu et al., 2023) says with each label, and with
        each blank, by how many frames to go on.
        """

    def initial_state(self, rows: int) -> State:
        """State before any label."""

    def predict(self, labels: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """One label more: int32 `[rows]` to `[rows, joint]`, and the state after it.

        The label before the first one is the blank.
        """

    def join(self, encoded: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Frames and predictions, both `[rows, joint]`, to logits `[rows, classes]`."""


def predictions(steps: TransducerSteps, tokens: Sequence[int]) -> np.ndarray:
    """The prediction before the first label and after each, float32 `[labels + 1, joint]`."""
    predicted, state = steps.predict(np.array([steps.blank], np.int32), steps.initial_state(1))
    rows = [predicted]
    for token in tokens:
        predicted, state = steps.predict(np.array([token], np.int32), state)
        rows.append(predicted)
    return np.concatenate(rows)
