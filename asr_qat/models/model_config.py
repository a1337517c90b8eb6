"""What is needed to build a Keras model: its shape, and the kind of model that this makes it."""

import dataclasses
from typing import Any

from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.errors import require
from asr_qat.models.ctc import CTC
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.kind import ModelKind
from asr_qat.models.live_transducer import LiveTransducer
from asr_qat.models.prediction import TransducerConfig
from asr_qat.models.streaming_config import SUBSAMPLING, StreamingConfig
from asr_qat.models.transducer import Transducer
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.source import Source
from asr_qat.text.normalizers import PLAIN, check_training

LAYERS_OF_BLOCK = 20  # of about 35, whatever its settings


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """What is needed to build the Keras model.

    Attributes:
        encoder: its shape.
        front_end: the features it was trained on.
        quantization: how it was quantized in training, or null for a float model.
        transducer: shape of the prediction and joint networks, or null for a CTC model.
        streaming: contexts and cascade of a live model, or null for one of whole utterances.
        source: where imported weights come from, or null for a model that was trained here.
        normalizer: name of that of the texts it was trained on, see `asr_qat.text.normalizers`.
    """

    encoder: EncoderConfig
    front_end: FrontEndConfig = FrontEndConfig()
    quantization: QuantizationConfig | None = None
    transducer: TransducerConfig | None = None
    streaming: StreamingConfig | None = None
    source: Source | None = None
    normalizer: str = PLAIN

    def __post_init__(self) -> None:
        """Raise `UserError` for parts that do not go together."""
        check_training(self.normalizer)
        if self.streaming is None:
            return
        require(
            self.transducer is not None,
            "streaming: needs a transducer: add its shape under transducer",
        )
        assert self.transducer is not None
        require(
            not self.transducer.durations,
            "transducer.durations: a live model is a plain transducer: omit it",
        )
        self.front_end.require_streaming()
        require(
            self.encoder.attention_context is None,
            "encoder.attention_context: a live model has its contexts in streaming: omit it",
        )
        factor = self.encoder.subsampling_factor
        require(
            factor == SUBSAMPLING,
            f"encoder.subsampling_factor: {factor}: a live model subsamples by {SUBSAMPLING}",
        )

    def least_size(self, vocab_size: int) -> tuple[int, int]:
        """Layers and weights that a model of this shape has at the least, without building it."""
        encoder = self.encoder
        blocks = encoder.blocks + (self.streaming.cascade_blocks if self.streaming else 0)
        weights = blocks * encoder.weights_of_block
        weights += encoder.weights_of_subsampling(self.front_end.mel_bins)
        if self.transducer is None:
            weights += vocab_size * encoder.dim
        else:
            weights += self.transducer.weights_of_matrices
            weights += vocab_size * (self.transducer.embedding + self.transducer.joint)
        return blocks * LAYERS_OF_BLOCK, weights

    def to_json(self) -> dict[str, Any]:
        """As it is saved; without the normaliser where it is that of models that name none."""
        values = dataclasses.asdict(self)
        if self.normalizer == PLAIN:
            del values["normalizer"]
        return values

    @property
    def kind(self) -> ModelKind:
        """The kind of model, which knows how it is built, trained, searched and exported."""
        if self.transducer is None:
            return CTC(self.encoder, self.front_end.mel_bins)
        if self.streaming is None:
            return Transducer(self.encoder, self.transducer, self.front_end.mel_bins)
        return LiveTransducer(self.encoder, self.transducer, self.streaming, self.front_end)
