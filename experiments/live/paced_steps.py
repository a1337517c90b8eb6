"""A search that costs what that of speech does, with initial weights."""

import numpy as np

from asr_qat.decoding.transducer_steps import State, TransducerSteps

# A sentence and the pause after it, above the 0.8 s after which an utterance ends: every 7.2 s
# there is an endpoint, and the second pass catches up with the first.
SPEECH_S, PAUSE_S = 6.0, 1.2


class PacedSteps:
    """The `TransducerSteps` of one session, which find labels at an even pace, then pause.

    They calculate all that the model's own do. Initial weights find no label or one after the
    other, and the search would cost too little or too much, and no utterance would end.

    Both passes search with the same steps. What a pass knows of its own labels is what the
    prediction network said after the last one: beside that goes the time of the next label.

    Args:
        steps: of the model.
        labels_per_second: while there is speech.
        frame_s: seconds of an encoded frame.
    """

    def __init__(self, steps: TransducerSteps, labels_per_second: float, frame_s: float):
        self._steps = steps
        self.blank, self.durations = steps.blank, steps.durations
        self._interval_s = 1 / labels_per_second
        self._passed_s = frame_s / 2  # by a blank, which ends a frame: of both passes
        self._now_s = 0.0

    def initial_state(self, rows: int) -> State:
        """As in `TransducerSteps`."""
        return (*self._steps.initial_state(rows), np.zeros((rows, 1), np.float32))

    def predict(self, labels: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        """As in `TransducerSteps`, with the time of the next label after the output."""
        predicted, after = self._steps.predict(labels, state[:-1])
        due = np.maximum(state[-1] + self._interval_s, self._now_s).astype(np.float32)
        return np.concatenate([predicted, due], axis=1), (*after, due)

    def join(self, encoded: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """As in `TransducerSteps`, of one row, with another winner."""
        logits = self._steps.join(encoded, predicted[:, :-1]).copy()
        speech = self._now_s % (SPEECH_S + PAUSE_S) < SPEECH_S
        label = speech and self._now_s >= predicted[0, -1]
        self._now_s += 0.0 if label else self._passed_s
        winner = int(logits[0, : self.blank].argmax()) if label else self.blank
        logits[0, winner] = np.inf
        return logits
