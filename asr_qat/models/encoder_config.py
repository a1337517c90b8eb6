"""Shape of a Conformer encoder."""

import dataclasses
import math
from typing import Literal

from asr_qat.bounds import require_within
from asr_qat.errors import require

# Far above the largest that were published, of 8 billion weights: what is beyond is a mistake.
MOST = {
    "blocks": 1024,
    "dim": 1 << 16,
    "heads": 1 << 12,
    "feed_forward": 1 << 18,
    "kernel": 1 << 12,
    "subsampling": 1 << 14,
}
MOST_CONTEXT = 1 << 20  # encoded frames: eleven hours
MOST_WEIGHTS = 1 << 34


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """Shape of the encoder.

    Attributes:
        blocks: number of Conformer blocks.
        dim: channels between the blocks.
        heads: attention heads.
        attention_context: encoded frames (of 40 ms with a subsampling by 4) on either side that
            a frame attends to, or those past and those to come, or null for the whole utterance.
        feed_forward: width of the feed-forward modules' hidden layer.
        kernel: frames seen by the depthwise convolution.
        subsampling: channels of the subsampling convolutions.
        dropout: rate in every module, in training.
        subsampling_factor: feature frames to one encoded frame.
        subsampling_kind: what follows the first subsampling convolution: `dw_striding`
            separable ones, `striding` full ones.
        conv_norm: norm after the depthwise convolution of a block, or `none`, as where a batch
            normalisation was folded into the convolution.
        norm_epsilon: added to the variance in every norm.
    """

    blocks: int = 6
    dim: int = 128
    heads: int = 4
    attention_context: int | tuple[int, int] | None = None
    feed_forward: int = 256
    kernel: int = 15
    subsampling: int = 64
    dropout: float = 0.1
    subsampling_factor: Literal[4, 8] = 4
    subsampling_kind: Literal["dw_striding", "striding"] = "dw_striding"
    conv_norm: Literal["layer", "none"] = "layer"
    norm_epsilon: float = 1e-3

    def __post_init__(self) -> None:
        """Raise `UserError` for a shape that cannot be built."""
        for name, most in MOST.items():
            require_within(name, getattr(self, name), 1, most)
        context = self.attention_context
        if isinstance(context, int):
            require_within("attention_context", context, 1, MOST_CONTEXT)
        elif context is not None:
            require(min(context) >= 0, f"attention_context: {list(context)} is less than 0")
            require_within("attention_context", max(context), 0, MOST_CONTEXT)
        for name in ("dim", "feed_forward"):  # two 4-bit weights share a byte
            value = getattr(self, name)
            require(value % 2 == 0, f"{name}: {value} is not even")
        require(self.dim % self.heads == 0, f"heads: {self.heads} does not divide dim {self.dim}")
        require(0 <= self.dropout < 1, f"dropout: {self.dropout} is not from 0 to below 1")
        epsilon = self.norm_epsilon
        require(0 < epsilon < math.inf, f"norm_epsilon: {epsilon} is not a number above 0")
        weights = self.blocks * self.weights_of_block
        require(
            weights <= MOST_WEIGHTS,
            f"blocks, dim, feed_forward: make {weights:,} weights, more than {MOST_WEIGHTS:,}",
        )

    @property
    def weights_of_block(self) -> int:
        """Weights of the matrices of a block: feed-forward, attention, pointwise convolutions."""
        return 4 * self.dim * self.feed_forward + 7 * self.dim**2

    def weights_of_subsampling(self, mel_bins: int) -> int:
        """Weights of the matrices that turn features of so many bins into the first frames."""
        taps = 9 if self.subsampling_kind == "striding" else 1
        channels = self.subsampling * (mel_bins >> self.halvings)
        return (self.halvings - 1) * taps * self.subsampling**2 + channels * self.dim

    @property
    def halvings(self) -> int:
        """How often the encoder halves the time axis of the features."""
        return self.subsampling_factor.bit_length() - 1
