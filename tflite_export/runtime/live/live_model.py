"""A model for live sessions: all that they share, none of what belongs to one stream."""

import dataclasses
from pathlib import Path

import numpy as np

from asr_qat.arrays import Array
from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.decoding.transducer_steps import TransducerSteps
from asr_qat.errors import require
from asr_qat.text.tokenizer import Tokenizer
from tflite_export.runtime.live.encoder import StreamingEncoder
from tflite_export.runtime.live.litert_encoder import LiteRTEncoder
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.runtime.widen import AUTO, Widen


@dataclasses.dataclass(frozen=True)
class LiveModel:
    """A streaming transducer.

    Attributes:
        front_end: of the features.
        mean: float32 `[mel_bins]` that is subtracted from the features.
        std: float32 `[mel_bins]` that they are divided by.
        tokenizer: the vocabulary; the blank is the class after it.
        encoder: in two passes.
        steps: prediction and joint network, one for both passes.
    """

    front_end: FrontEndConfig
    mean: Array
    std: Array
    tokenizer: Tokenizer
    encoder: StreamingEncoder
    steps: TransducerSteps


def load_model(
    path: str | Path,
    threads: int = 1,
    weight_cache: bool = False,
    *,
    verify: bool = True,
    parallel: int = 1,
    widen: Widen = AUTO,
) -> LiveModel:
    """A live model of a `.tflite`, warmed up.

    Args:
        path: made by `tflite-export convert` of a live model.
        threads: CPU threads of one call.
        weight_cache: keep the packed weights in a file that processes share, see
            `tflite_export.runtime.weight_cache`.
        verify: refuse a file whose checksum is wrong.
        parallel: calls at the same time, of as many threads; see `TFLiteRecogniser`.
        widen: bits that 2-bit weights are widened to; see there.

    Raises:
        UserError: no such file, damaged, or not of a live model.
    """
    recogniser = TFLiteRecogniser(
        path, threads, weight_cache, verify=verify, parallel=parallel, widen=widen
    )
    return live_model(recogniser)


def live_model(recogniser: TFLiteRecogniser) -> LiveModel:
    """The same of a file that is loaded already; see `load_model`."""
    encoder = LiteRTEncoder(recogniser)
    steps, metadata = recogniser.steps, recogniser.metadata
    require(
        steps is not None,
        f"{recogniser.path}: a live model without predict and join: export it again",
    )
    assert steps is not None
    encoder.warm_up()
    predicted, _ = steps.predict(np.array([steps.blank], np.int32), steps.initial_state(1))
    steps.join(np.zeros_like(predicted), predicted)
    return LiveModel(
        metadata.front_end, metadata.mean, metadata.std, metadata.tokenizer, encoder, steps
    )
