"""One utterance recognised by greedy search, with the logits that decided.

The same functions for Keras models and devices: where both see the same logits they find the
same text, and where they do not, these logits show it.
"""

import dataclasses

import numpy as np

from asr_qat.decoding.ctc_greedy import greedy_ctc
from asr_qat.decoding.transducer_greedy import greedy_transducer
from asr_qat.decoding.transducer_steps import State, TransducerSteps


@dataclasses.dataclass(frozen=True)
class Recognition:
    """What was found, and by what.

    Attributes:
        tokens: ids.
        logits: `[steps, classes]`; with CTC the steps are frames, with a transducer those of
            the search: a blank leads to the next frame, a label to the next label. The classes
            of durations are after the blank.
        dependent: whether each step depends on what was found in those before.
    """

    tokens: list[int]
    logits: np.ndarray
    dependent: bool = False


def recognise_ctc(logits: np.ndarray) -> Recognition:
    """Greedy search in logits `[frames, classes]`, the blank last."""
    return Recognition(greedy_ctc(logits, logits.shape[-1] - 1), logits)


def recognise_transducer(steps: TransducerSteps, encoded: np.ndarray) -> Recognition:
    """Greedy search from encoded frames `[frames, joint]`."""
    recorder = _Recorder(steps)
    (tokens,) = greedy_transducer(recorder, encoded[None], np.array([len(encoded)]))
    classes = steps.blank + 1 + len(steps.durations)
    logits = [np.zeros((0, classes), np.float32), *recorder.logits]
    return Recognition(tokens, np.concatenate(logits), dependent=True)


class _Recorder:
    """The `TransducerSteps` of another, keeping all logits."""

    def __init__(self, steps: TransducerSteps):
        self._steps = steps
        self.blank = steps.blank
        self.durations = steps.durations
        self.logits: list[np.ndarray] = []

    def initial_state(self, rows: int) -> State:
        return self._steps.initial_state(rows)

    def predict(self, labels: np.ndarray, state: State) -> tuple[np.ndarray, State]:
        return self._steps.predict(labels, state)

    def join(self, encoded: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        self.logits.append(self._steps.join(encoded, predicted))
        return self.logits[-1]
