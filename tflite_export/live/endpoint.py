"""When an utterance ends."""

import dataclasses
import math

from asr_qat.errors import require


@dataclasses.dataclass(frozen=True)
class EndpointConfig:
    """The rule: after words, so long without a new label; or when the utterance is too long.

    Labels are those of the first pass. The first frames after an endpoint belong to the next
    utterance, which knows nothing of this one.

    Attributes:
        pause_s: seconds without a label, after at least one label.
        longest_s: seconds after which an utterance ends whatever is being said.
    """

    pause_s: float = 0.8
    longest_s: float = 20.0

    def __post_init__(self) -> None:
        """Raise `UserError` for a duration out of range."""
        for name in ("pause_s", "longest_s"):
            value = getattr(self, name)
            fits = 0 < value < math.inf
            require(fits, f"{name}: {value} is not a number of seconds above 0")

    def reached(self, frames: int, last_label: int | None, frame_ms: float) -> bool:
        """Whether an utterance ends here.

        Args:
            frames: of the utterance so far.
            last_label: frame of its last label, None if it has none.
            frame_ms: milliseconds in a frame.
        """
        if frames * frame_ms >= self.longest_s * 1000:
            return True
        return last_label is not None and (frames - 1 - last_label) * frame_ms >= (
            self.pause_s * 1000
        )


# For recordings of one utterance each: it lasts as long as they do.
WHOLE_RECORDING = EndpointConfig(pause_s=1e9, longest_s=1e9)
