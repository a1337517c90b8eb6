"""A model for live sessions: all that they share, none of what belongs to one stream."""

import dataclasses

import numpy as np

from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.decoding.transducer_steps import TransducerSteps
from asr_qat.text.tokenizer import Tokenizer
from tflite_export.live.encoder import StreamingEncoder


@dataclasses.dataclass(frozen=True)
class LiveModel:
    """A streaming transducer.

    Attributes:
        front_end: of the features.
        mean: float32 `[mel_bins]` that is subtracted from the features.
        std: float32 `[mel_bins]` that they are divided by.
        tokenizer: the vocabulary; the blank is the class behind it.
        encoder: in two passes.
        steps: prediction and joint network, one for both passes.
    """

    front_end: FrontEndConfig
    mean: np.ndarray
    std: np.ndarray
    tokenizer: Tokenizer
    encoder: StreamingEncoder
    steps: TransducerSteps
