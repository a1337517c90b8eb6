"""What an importer reads of a checkpoint before its weights."""

import dataclasses
from typing import Literal

from asr_qat.models.model_config import ModelConfig
from asr_qat.pretrained.tensors import Checkpoint
from asr_qat.text.tokenizer import Tokenizer

Head = Literal["ctc", "transducer"]
HEADS: tuple[Head, ...] = ("ctc", "transducer")
ConvNorm = Literal["batch_norm", "fused_batch_norm", "layer_norm"]


@dataclasses.dataclass(frozen=True)
class EncoderLayout:
    """How a checkpoint stores an encoder, beyond its shape.

    Attributes:
        scale: the subsampled frames are multiplied by it.
        conv_norm: norm after the depthwise convolution of a block.
        dense_bias: whether feed-forward modules and attention have biases.
        conv_bias: whether the convolution modules have.
    """

    scale: float = 1.0
    conv_norm: ConvNorm = "batch_norm"
    dense_bias: bool = True
    conv_bias: bool = True


@dataclasses.dataclass(frozen=True)
class Network:
    """A network that can be imported.

    Attributes:
        config: of the model directory.
        layout: how its encoder is stored.
        tokenizer: its vocabulary, without the blank.
        checkpoint: its tensors, by NeMo's names.
        ctc_head: what the names of the CTC head begin with, None where there is none.
        classes: of the checkpoint's output layers, for each of ours, or None if in our order:
            the pieces, the blank, the durations.
        unused: what the names of tensors that the import leaves out begin with.
    """

    config: ModelConfig
    layout: EncoderLayout
    tokenizer: Tokenizer
    checkpoint: Checkpoint
    ctc_head: str | None
    classes: tuple[int, ...] | None = None
    unused: tuple[str, ...] = ()
