"""The streaming encoder of a `.tflite`."""

from collections.abc import Mapping

import numpy as np

from asr_qat.arrays import Array
from asr_qat.decoding.live_format import CASCADE, CAUSAL, POSITIONS
from asr_qat.errors import UserError
from tflite_export.runtime.live.encoder import State
from tflite_export.runtime.recogniser import TFLiteRecogniser


class LiteRTEncoder:
    """A `StreamingEncoder` over the signatures of one file, for any number of streams.

    What they are and take is in the file's `LiveFormat`; see
    `asr_qat.models.live_signatures`. What signature `positions` gives is computed here once.

    Args:
        recogniser: the loaded file.

    Raises:
        UserError: not the file of a live model.
    """

    def __init__(self, recogniser: TFLiteRecogniser):
        live = recogniser.metadata.live
        if live is None:
            raise UserError(
                f"{recogniser.path}: of whole utterances, not the file of a live model: "
                "`tflite-export transcribe`, and `evaluate` without --streaming, read it"
            )
        self._call = recogniser.call
        self._mel_bins = recogniser.metadata.front_end.mel_bins
        self._states = live.states
        tables = self._call(POSITIONS, one=np.ones(1, np.float32))
        self._constants = {
            encoder: {name: tables[name] for name in own} for encoder, own in live.positions.items()
        }
        self.step_frames = live.chunks
        self.subsampling = live.features
        self.frame_ms = live.frame_ms
        self.look_ahead = live.first_delay
        self.delay = live.second_delay - live.first_delay

    def first_state(self) -> State:
        """As in `StreamingEncoder`."""
        return self._zeros(CAUSAL)

    def second_state(self) -> State:
        """As in `StreamingEncoder`."""
        return self._zeros(CASCADE)

    def first(self, features: Array, valid: int, state: State) -> tuple[Array, Array, State]:
        """As in `StreamingEncoder`."""
        frames = len(features) // self.subsampling
        mask = _mask(len(features), valid)
        found, after = self._run(CAUSAL, frames, state, features=features[None], valid=mask)
        return found["encoded"][0], found["frames"][0], after

    def second(self, hidden: Array, valid: int, state: State) -> tuple[Array, State]:
        """As in `StreamingEncoder`."""
        mask = _mask(len(hidden), valid)
        found, after = self._run(CASCADE, len(hidden), state, frames=hidden[None], valid=mask)
        return found["encoded"][0], after

    def warm_up(self) -> None:
        """Run every signature once: the first run of each packs its weights."""
        for frames in self.step_frames:
            features = np.zeros((frames * self.subsampling, self._mel_bins), np.float32)
            _, hidden, _ = self.first(features, 0, self.first_state())
            self.second(hidden, 0, self.second_state())

    def _zeros(self, encoder: str) -> State:
        return {name: np.zeros(shape, np.float32) for name, shape in self._states[encoder].items()}

    def _run(
        self, encoder: str, size: int, state: State, **inputs: Array
    ) -> tuple[Mapping[str, Array], State]:
        found = self._call(f"{encoder}_{size}", **inputs, **self._constants[encoder], **state)
        return found, {name: found[name] for name in state}


def _mask(length: int, valid: int) -> Array:
    """1 for the first `valid` ones, then 0: float32 `[1, length]`."""
    return (np.arange(length) < valid).astype(np.float32)[None]
