"""Greedy transducer search of frames that arrive in pieces, in numpy: state in, state out.

The labels are those of `greedy_transducer` on the whole utterance, however it is cut.
"""

from dataclasses import dataclass

import numpy as np

from asr_qat.decoding.transducer_steps import MAX_SYMBOLS, State, TransducerSteps
from asr_qat.errors import require


@dataclass(frozen=True)
class Emission:
    """A label, and the frame (from 0) at which the search emitted it."""

    token: int
    frame: int


@dataclass(frozen=True)
class SearchState:
    """Where a search stands between two frames.

    Attributes:
        emissions: labels so far.
        frames: frames seen.
        predicted: output of the prediction network after these labels, float32 `[1, joint]`.
        state: of the prediction network after them, rows `[1, n]`.
    """

    emissions: tuple[Emission, ...]
    frames: int
    predicted: np.ndarray
    state: State

    @property
    def tokens(self) -> list[int]:
        """The labels without their frames."""
        return [emission.token for emission in self.emissions]


def begin_search(steps: TransducerSteps) -> SearchState:
    """The state before the first frame."""
    predicted, state = steps.predict(np.array([steps.blank], np.int32), steps.initial_state(1))
    return SearchState((), 0, predicted, state)


def advance_search(
    steps: TransducerSteps,
    before: SearchState,
    encoded: np.ndarray,
    max_symbols: int = MAX_SYMBOLS,
) -> SearchState:
    """Search on through more frames.

    Args:
        steps: the model.
        before: left as it is.
        encoded: float32 `[frames, joint]`.
        max_symbols: labels at most from one frame; the search then goes to the next one.
    """
    require(max_symbols >= 1, f"max_symbols is {max_symbols}: at least 1")
    found: list[Emission] = []
    predicted, state = before.predicted, before.state
    for frame, row in enumerate(encoded, start=before.frames):
        for _ in range(max_symbols):
            label = int(steps.join(row[None], predicted)[0].argmax())
            if label == steps.blank:
                break
            found.append(Emission(label, frame))
            predicted, state = steps.predict(np.array([label], np.int32), state)
    emissions = before.emissions + tuple(found)
    return SearchState(emissions, before.frames + len(encoded), predicted, state)
