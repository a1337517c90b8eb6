"""When an utterance ends."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from asr_qat.errors import require

if TYPE_CHECKING:  # numpy is more than the options of a command need
    from asr_qat.decoding.transducer_incremental import Emission


@dataclasses.dataclass(frozen=True)
class EndpointConfig:
    """The rule: after words, so long without a new label; or when the words last too long.

    Silence before the first label counts for neither: nothing grows in it. The first frames after
    an endpoint belong to the next utterance, which knows nothing of this one.

    Attributes:
        pause_s: seconds without a label, after at least one label.
        longest_s: seconds from the first label on after which an utterance ends whatever is being
            said.
    """

    pause_s: float = 0.8
    longest_s: float = 20.0

    def __post_init__(self) -> None:
        """Raise `UserError` for a duration out of range."""
        for name in ("pause_s", "longest_s"):
            value = getattr(self, name)
            fits = 0 < value < math.inf
            require(fits, f"{name}: {value} is not a number of seconds above 0")

    def reached(self, frames: int, labels: "Sequence[Emission]", frame_ms: float) -> bool:
        """Whether an utterance ends here.

        Args:
            frames: of the utterance so far.
            labels: of these frames.
            frame_ms: milliseconds in a frame.
        """
        if not labels:
            return False
        words_s = (frames - labels[0].frame) * frame_ms / 1000
        pause_s = (frames - 1 - labels[-1].frame) * frame_ms / 1000
        return words_s >= self.longest_s or pause_s >= self.pause_s


# For recordings of one utterance each: it lasts as long as they do.
WHOLE_RECORDING = EndpointConfig(pause_s=1e9, longest_s=1e9)
