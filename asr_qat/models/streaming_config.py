"""Shape of a live model: what a causal encoder and the cascade on top of it may hear."""

import dataclasses

from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.bounds import require_within
from asr_qat.errors import require
from asr_qat.models.encoder_config import MOST

MOST_FRAMES = 1 << 16  # encoded frames to either side: 44 minutes
SUBSAMPLING = 4  # feature frames to one encoded frame of a live model


@dataclasses.dataclass(frozen=True)
class StreamingConfig:
    """Two encoders, one on top of the other (Narayanan et al., 2021, "Cascaded encoders").

    The causal encoder has the blocks of `EncoderConfig`; its first block attends to
    `look_ahead` frames to come, the others to none. The cascade has `cascade_blocks` more, each
    of which attends to `right_context` frames to come. The convolutions hear no later frame. So
    an encoded frame, which is that of 4 feature frames with 3 more before these, waits for
    `first_delay` further encoded frames in the first pass, `second_delay` in the second.

    Attributes:
        cascade_blocks: Conformer blocks of the cascade.
        left_context: past frames (of 40 ms) that a frame attends to, in every block.
        look_ahead: future frames that a frame attends to in the first causal block.
        right_context: future frames that a frame attends to in each block of the cascade.
        causal_weight: weight of the first pass's loss; that of the second pass is the rest to 1.
        sampling: compute one of both transducer losses in each batch, the first pass's with the
            probability `causal_weight`: less work than the sum, and the same in the mean.
    """

    cascade_blocks: int
    left_context: int
    look_ahead: int = 0
    right_context: int = 0
    causal_weight: float = 0.5
    sampling: bool = False

    def __post_init__(self) -> None:
        """Raise `UserError` for a shape that cannot be built."""
        require_within("cascade_blocks", self.cascade_blocks, 1, MOST["blocks"])
        for name, least in (("left_context", 1), ("look_ahead", 0), ("right_context", 0)):
            require_within(name, getattr(self, name), least, MOST_FRAMES)
        weight = self.causal_weight
        require(0 < weight < 1, f"causal_weight: {weight} is not between 0 and 1")

    @property
    def first_delay(self) -> int:
        """Encoded frames that the causal encoder waits for."""
        return self.look_ahead

    @property
    def second_delay(self) -> int:
        """Encoded frames that both encoders together wait for."""
        return self.look_ahead + self.cascade_blocks * self.right_context

    def delays_ms(self, front_end: FrontEndConfig) -> tuple[float, float]:
        """`first_delay` and `second_delay` in milliseconds."""
        frame = SUBSAMPLING * front_end.hop_ms
        return self.first_delay * frame, self.second_delay * frame

    def causal_context(self, block: int) -> tuple[int, int]:
        """Past and future frames that a frame attends to in a block of the causal encoder."""
        return self.left_context, self.look_ahead if block == 0 else 0

    @property
    def cascade_context(self) -> tuple[int, int]:
        """The same of each block of the cascade."""
        return self.left_context, self.right_context
