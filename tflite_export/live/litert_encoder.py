"""The streaming encoder of a `.tflite`."""

from collections.abc import Mapping

import numpy as np

from asr_qat.errors import UserError
from tflite_export.live.encoder import State
from tflite_export.recogniser import TFLiteRecogniser
from tflite_export.silence import silence

CAUSAL, CASCADE = "causal_", "cascade_"  # signatures of the passes, before the frames of a step
POSITIONS = "positions"  # signature of what is the same in all calls
LONGEST_DELAY = 1000  # frames


class LiteRTEncoder:
    """A `StreamingEncoder` over the signatures of one file, for any number of streams.

    `causal_C` takes `features` `[1, C * subsampling, mel_bins]` and gives `frames`
    `[1, C, channels]`, which `cascade_C` takes; both give `encoded` `[1, C, joint]`. Both take a
    mask `valid` of their frames and give that of the frames that come out, which tells the delay.
    What a signature takes and gives under one name is state, zeros at the beginning; what it takes
    and `positions` gives is computed here once.

    Args:
        recogniser: the loaded file.

    Raises:
        UserError: not the file of a live model.
    """

    def __init__(self, recogniser: TFLiteRecogniser):
        self._call = recogniser.call
        self._shapes: dict[str, dict[str, tuple[int, ...]]] = {}
        self._states: dict[str, list[str]] = {}
        with silence():
            self._read(recogniser)
        steps = [
            int(name.removeprefix(CAUSAL))
            for name in self._shapes
            if name.startswith(CAUSAL) and name.replace(CAUSAL, CASCADE) in self._shapes
        ]
        if 1 not in steps:
            raise UserError(
                f"{recogniser.path}: not the file of a live model (it has no signature causal_1): "
                "`tflite-export transcribe` reads it"
            )
        self.step_frames = tuple(sorted(steps))
        _, self.subsampling, self._mel_bins = self._shapes[f"{CAUSAL}1"]["features"]
        self.frame_ms = self.subsampling * recogniser.metadata.front_end.hop_ms
        found = self._call(POSITIONS, one=np.ones(1, np.float32)) if self._positioned else {}
        self._constants = {
            name: {key: found[key] for key in shapes if key in found}
            for name, shapes in self._shapes.items()
        }
        self.look_ahead = self._delay(f"{CAUSAL}1")
        self.delay = self._delay(f"{CASCADE}1")

    def first_state(self) -> State:
        """As in `StreamingEncoder`."""
        return self._zeros(f"{CAUSAL}1")

    def second_state(self) -> State:
        """As in `StreamingEncoder`."""
        return self._zeros(f"{CASCADE}1")

    def first(
        self, features: np.ndarray, valid: int, state: State
    ) -> tuple[np.ndarray, np.ndarray, State]:
        """As in `StreamingEncoder`."""
        name = f"{CAUSAL}{len(features) // self.subsampling}"
        found, after = self._run(name, valid, state, features=features[None])
        return found["encoded"][0], found["frames"][0], after

    def second(self, hidden: np.ndarray, valid: int, state: State) -> tuple[np.ndarray, State]:
        """As in `StreamingEncoder`."""
        name = f"{CASCADE}{len(hidden)}"
        found, after = self._run(name, valid, state, frames=hidden[None])
        return found["encoded"][0], after

    def warm_up(self) -> None:
        """Run every signature once: the first run of each packs its weights."""
        for frames in self.step_frames:
            features = np.zeros((frames * self.subsampling, self._mel_bins), np.float32)
            _, hidden, _ = self.first(features, 0, self.first_state())
            self.second(hidden, 0, self.second_state())

    def _read(self, recogniser: TFLiteRecogniser) -> None:
        """Shapes of the inputs and names of the states of each signature."""
        names = list(recogniser.interpreter.get_signature_list())
        self._positioned = POSITIONS in names
        for name in names:
            if not name.startswith((CAUSAL, CASCADE)):
                continue
            runner = recogniser.interpreter.get_signature_runner(name)
            inputs, outputs = runner.get_input_details(), runner.get_output_details()
            self._shapes[name] = {key: tuple(d["shape"].tolist()) for key, d in inputs.items()}
            self._states[name] = sorted(set(inputs) & set(outputs) - {"valid"})

    def _zeros(self, signature: str) -> State:
        shapes = self._shapes[signature]
        return {name: np.zeros(shapes[name], np.float32) for name in self._states[signature]}

    def _run(
        self, signature: str, valid: int, state: State, **inputs: np.ndarray
    ) -> tuple[Mapping[str, np.ndarray], State]:
        mask = np.zeros(self._shapes[signature]["valid"], np.float32)
        mask[:, :valid] = 1
        constants = self._constants[signature]
        found = self._call(signature, valid=mask, **inputs, **constants, **state)
        return found, {name: found[name] for name in self._states[signature]}

    def _delay(self, signature: str) -> int:
        """Frames that go in before the first valid one comes out."""
        state = self._zeros(signature)
        name = "features" if "features" in self._shapes[signature] else "frames"
        frame = np.zeros(self._shapes[signature][name], np.float32)
        for delay in range(LONGEST_DELAY):
            found, state = self._run(signature, frame.shape[1], state, **{name: frame})
            if found["valid"].any():
                return delay
        raise UserError(f"signature {signature}: no frame comes out: export the file again")
