"""One utterance in both passes."""

import numpy as np

from asr_qat.arrays import Array
from asr_qat.decoding.transducer_incremental import Emission, SearchState, advance_search
from asr_qat.decoding.transducer_steps import TransducerSteps
from tflite_export.runtime.live.encoder import StreamingEncoder, split_steps
from tflite_export.runtime.live.endpoint import EndpointConfig

SAME_FRAMES = 5  # between the frames of a label in the two passes, at most: 200 ms


class Utterance:
    """Takes features frame by frame, and knows the labels of the first and the second pass.

    Args:
        encoder: of the model.
        steps: its prediction and joint network.
        start: the search before the first frame.
        endpoint: when the utterance ends.

    Attributes:
        first: the search in the first pass.
        second: the search in the second pass.
        frames: taken so far.
        ended: whether the rule says that it ends here.
    """

    def __init__(
        self,
        encoder: StreamingEncoder,
        steps: TransducerSteps,
        start: SearchState,
        endpoint: EndpointConfig,
    ):
        self._encoder, self._steps, self._endpoint = encoder, steps, endpoint
        self._first_state, self._second_state = encoder.first_state(), encoder.second_state()
        self._first_lag, self._second_lag = encoder.look_ahead, encoder.delay
        self.first = self.second = start
        self.frames = 0
        self.ended = False

    @property
    def emissions(self) -> tuple[Emission, ...]:
        """Labels of the second pass, then those of the first that it may still find.

        One and the same label has frames a little apart in the two passes: what the first pass
        found is awaited for a while from the second, and does not follow what this found before.
        """
        found = self.second.emissions
        since = self.second.frames - SAME_FRAMES
        if found:
            since = max(since, found[-1].frame + 1)
        awaited = tuple(e for e in self.first.emissions if e.frame >= since)
        if found and awaited and awaited[0].token == found[-1].token:
            awaited = awaited[awaited[0].frame - found[-1].frame <= SAME_FRAMES :]
        return found + awaited

    def step(self, features: Array) -> int:
        """Both passes over C frames, `[C * subsampling, mel_bins]`; C is one of `step_frames`.

        Returns:
            Frames taken: less than C if the utterance ended before.
        """
        before = self._first_state, self._first_lag
        rows, hidden = self._run_first(features, len(features))
        frames = len(features) // self._encoder.subsampling
        held_back = frames - len(rows)
        taken = 0
        while taken < frames and not self.ended:
            row = rows[max(0, taken - held_back) : max(0, taken - held_back + 1)]
            self.first = advance_search(self._steps, self.first, row)
            taken += 1
            self.ended = self._ends()
        if taken < frames and self._encoder.look_ahead:
            # What the first pass holds back is to be that of the frames taken.
            self._first_state, self._first_lag = before
            for frame in np.split(features[: taken * self._encoder.subsampling], taken):
                self._run_first(frame, len(frame))
        self.frames += taken
        self._run_second(hidden[: max(0, taken - held_back)])
        return taken

    def finish(self, rest: Array) -> None:
        """The end: `rest` are the last feature frames `[< subsampling, mel_bins]`, maybe none."""
        silence = np.zeros((self._encoder.subsampling, rest.shape[1]), np.float32)
        if len(rest):
            self.frames += 1
            self._feed(np.concatenate([rest, silence[len(rest) :]]), len(rest))
        for size in self._due(self.first, self._first_lag):
            self._feed(np.tile(silence, (size, 1)), 0)
        for size in self._due(self.second, self._second_lag):
            self._second_step(np.tile(self._no_hidden, (size, 1)), 0)

    def _due(self, search: SearchState, lag: int) -> list[int]:
        """Steps that bring the rows that a pass still holds back, after `lag` empty ones."""
        rows = self.frames - search.frames
        return split_steps(rows + lag if rows else 0, self._encoder.step_frames)

    def _ends(self) -> bool:
        labels = self.first.emissions or self._second_labels()
        return self._endpoint.reached(self.first.frames, labels, self._encoder.frame_ms)

    def _second_labels(self) -> list[Emission]:
        """Those that the second pass has found by now however the audio was cut."""
        lag = self._encoder.delay + max(self._encoder.step_frames)
        return [e for e in self.second.emissions if e.frame < self.first.frames - lag]

    def _feed(self, features: Array, valid: int) -> None:
        rows, hidden = self._run_first(features, valid)
        self.first = advance_search(self._steps, self.first, rows)
        self._run_second(hidden)

    def _run_first(self, features: Array, valid: int) -> tuple[Array, Array]:
        """Rows for the search and for the second pass, without those about nothing."""
        rows, hidden, self._first_state = self._encoder.first(features, valid, self._first_state)
        drop = min(self._first_lag, len(rows))
        self._first_lag -= drop
        self._no_hidden = np.zeros_like(hidden[:1])
        return rows[drop:], hidden[drop:]

    def _run_second(self, hidden: Array) -> None:
        at = 0
        for size in split_steps(len(hidden), self._encoder.step_frames):
            self._second_step(hidden[at : at + size], size)
            at += size

    def _second_step(self, hidden: Array, valid: int) -> None:
        rows, self._second_state = self._encoder.second(hidden, valid, self._second_state)
        drop = min(self._second_lag, len(rows))
        self._second_lag -= drop
        self.second = advance_search(self._steps, self.second, rows[drop:])
