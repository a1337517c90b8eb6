"""Prediction and joint network of a transducer in LiteRT."""

from collections.abc import Callable, Mapping

import numpy as np

from asr_qat.arrays import Array
from asr_qat.decoding.transducer_steps import State

Call = Callable[..., Mapping[str, Array]]


class LiteRTSteps:
    """The `TransducerSteps` of a `.tflite`, whose signatures take one row at a time.

    Args:
        call: runs a signature by name: its outputs by name.
        blank: class of the blank.
        state_units: channels of each state, by name.
        durations: frames of each class after the blank; none of a plain transducer.
    """

    def __init__(
        self,
        call: Call,
        blank: int,
        state_units: Mapping[str, int],
        durations: tuple[int, ...] = (),
    ):
        self._call = call
        self._units = state_units
        self.blank, self.durations = blank, durations

    def initial_state(self, rows: int) -> State:
        """As in `TransducerSteps`."""
        return tuple(np.zeros((rows, units), np.float32) for units in self._units.values())

    def predict(self, labels: Array, state: State) -> tuple[Array, State]:
        """As in `TransducerSteps`."""
        found = [
            self._call(
                "predict",
                label=labels[i : i + 1, None],
                **{name: part[i : i + 1] for name, part in zip(self._units, state, strict=True)},
            )
            for i in range(len(labels))
        ]
        predicted = np.concatenate([outputs["predicted"][0] for outputs in found])
        after = tuple(np.concatenate([outputs[name] for outputs in found]) for name in self._units)
        return predicted, after

    def join(self, encoded: Array, predicted: Array) -> Array:
        """As in `TransducerSteps`."""
        rows = [
            self._call(
                "join", encoded=encoded[None, i : i + 1], predicted=predicted[None, i : i + 1]
            )
            for i in range(len(encoded))
        ]
        return np.concatenate([outputs["logits"][0, 0] for outputs in rows])
