"""What a live session asks of a streaming encoder, whatever runs it."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from asr_qat.arrays import Array

# All that a pass remembers of the frames before: arrays by name. Nobody but the encoder looks
# inside, and nobody changes one.
State = Mapping[str, Array]


class StreamingEncoder(Protocol):
    """An encoder in two passes over the same frames, C at a time, for one stream.

    The first pass answers at once, the second one later and better: it reads what the first one
    found (`hidden`) and has seen `delay` frames more. A call has as many rows out as frames in.
    Row i of the first pass is about the frame that went in `look_ahead` frames before row i; row i
    of the second pass about the one whose `hidden` went in `delay` frames before. So the first
    `look_ahead` or `delay` rows after the initial state are about nothing, and the caller drops
    them; at the end of an utterance it gets the last ones by frames with `valid` 0, zeros, which
    the encoder must not attend to.

    Neither pass changes a state that it got: the caller may go back to it.
    """

    @property
    def frame_ms(self) -> float:
        """Milliseconds of audio in one frame."""

    @property
    def subsampling(self) -> int:
        """Feature frames in one frame."""

    @property
    def step_frames(self) -> Sequence[int]:
        """The values that C may have; 1 among them."""

    @property
    def look_ahead(self) -> int:
        """Frames that the first pass sees ahead."""

    @property
    def delay(self) -> int:
        """Frames that the second pass sees ahead of those of the first."""

    def first_state(self) -> State:
        """The first pass before any frame."""

    def second_state(self) -> State:
        """The second pass before any frame."""

    def first(self, features: Array, valid: int, state: State) -> tuple[Array, Array, State]:
        """The first pass over C frames more.

        Args:
            features: normalised, float32 `[C * subsampling, mel_bins]`.
            valid: feature frames of them, from the first one on, that are audio.
            state: what the call before returned.

        Returns:
            For the joint network, float32 `[C, joint]`; `hidden` for the second pass, float32
            `[C, channels]`; the state after it.
        """

    def second(self, hidden: Array, valid: int, state: State) -> tuple[Array, State]:
        """The second pass over C frames more.

        Args:
            hidden: float32 `[C, channels]`.
            valid: frames of them, from the first one on, that the utterance has.
            state: what the call before returned.

        Returns:
            For the joint network, float32 `[C, joint]`; the state after it.
        """


def split_steps(frames: int, step_frames: Sequence[int]) -> list[int]:
    """The fewest steps that make up `frames`, the longest ones first."""
    steps = []
    for size in sorted(step_frames, reverse=True):
        count, frames = divmod(frames, size)
        steps += [size] * count
    return steps


def delays_ms(encoder: StreamingEncoder) -> tuple[float, float]:
    """Milliseconds that the first and the second pass see ahead of a frame."""
    first = encoder.look_ahead * encoder.frame_ms
    return first, first + encoder.delay * encoder.frame_ms
