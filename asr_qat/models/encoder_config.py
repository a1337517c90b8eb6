"""Shape of a Conformer encoder."""

import dataclasses

from asr_qat.errors import require


@dataclasses.dataclass(frozen=True)
class EncoderConfig:
    """Shape of the encoder.

    Attributes:
        blocks: number of Conformer blocks.
        dim: channels between the blocks.
        heads: attention heads.
        attention_context: frames (of 40 ms) on either side that a frame attends to, or null
            for the whole utterance.
        feed_forward: width of the feed-forward modules' hidden layer.
        kernel: frames seen by the depthwise convolution.
        subsampling: channels of the two subsampling convolutions.
        dropout: rate in every module, in training.
    """

    blocks: int = 6
    dim: int = 128
    heads: int = 4
    attention_context: int | None = None
    feed_forward: int = 256
    kernel: int = 15
    subsampling: int = 64
    dropout: float = 0.1

    def __post_init__(self) -> None:
        """Raise `UserError` for a shape that cannot be built."""
        for name in ("blocks", "dim", "heads", "feed_forward", "kernel", "subsampling"):
            value = getattr(self, name)
            require(value >= 1, f"{name}: {value} is less than 1")
        context = self.attention_context
        require(context is None or context >= 1, f"attention_context: {context} is less than 1")
        for name in ("dim", "feed_forward"):  # two 4-bit weights share a byte
            value = getattr(self, name)
            require(value % 2 == 0, f"{name}: {value} is not even")
        require(self.dim % self.heads == 0, f"heads: {self.heads} does not divide dim {self.dim}")
        require(0 <= self.dropout < 1, f"dropout: {self.dropout} is not from 0 to below 1")
