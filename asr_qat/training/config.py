"""What a training configuration file holds."""

import dataclasses
import math
from typing import Literal

from asr_qat.bounds import MOST_SEED, MOST_STEPS, require_within
from asr_qat.corpora.data_config import MOST_UTTERANCES, DataConfig
from asr_qat.errors import UserError, require
from asr_qat.models.encoder_config import EncoderConfig
from asr_qat.models.prediction import MOST_FRAMES, TransducerConfig
from asr_qat.models.presets import PRESETS, STREAMING, TRANSDUCERS
from asr_qat.models.streaming_config import StreamingConfig
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.training.distillation import DistillationConfig
from asr_qat.training.norm_decay import NormDecayConfig
from asr_qat.training.schedule import ScheduleConfig
from asr_qat.training.variational_noise import VariationalNoiseConfig


@dataclasses.dataclass(frozen=True)
class OptimizerConfig:
    """Adam and what surrounds it.

    Attributes:
        schedule: learning rate by step.
        clip_norm: gradients are scaled down to this norm, taken over all of them together.
        weight_decay: decoupled weight decay (AdamW), on matrices only.
        average: decay of the moving average of the weights that is evaluated and saved.
        l2: factor of `|w|^2 / 2` in the loss, over all trained weights.
        accumulate: number of slices of each batch whose gradients are accumulated, for less
            memory and the same update.
        variational_noise: noise on weights while their gradient is computed, or null.
        norm_decay: penalty on the range of the quantized weights, or null.
    """

    schedule: ScheduleConfig = ScheduleConfig()
    clip_norm: float = 5.0
    weight_decay: float = 0.0
    average: float = 0.999
    l2: float = 0.0
    accumulate: int = 1
    variational_noise: VariationalNoiseConfig | None = None
    norm_decay: NormDecayConfig | None = None

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        require(self.clip_norm > 0, f"clip_norm: {self.clip_norm} is not above 0")
        decay = self.weight_decay
        require(0 <= decay < math.inf, f"weight_decay: {decay} is not a number from 0 up")
        require(0 <= self.average < 1, f"average: {self.average} is not from 0 to below 1")
        require(0 <= self.l2 < math.inf, f"l2: {self.l2} is not a number from 0 up")
        require_within("accumulate", self.accumulate, 1, MOST_UTTERANCES)


@dataclasses.dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        data: prepared folder.
        output: model directory to write.
        steps: number of updates of the weights.
        preset: shape by name, see `asr_qat.models.presets`: `S`, `M`, `L`, or `tiny`, if nothing
            gives one; `live_tiny` or `live_l` of a live model, with `model: transducer`.
        encoder: shape of the encoder, instead of that of `preset`.
        start: model directory whose weights to start from, or null. It gives the shape;
            `preset` or `encoder` may change its dropout. A live model may start from one of whole
            utterances, see `asr_qat.training.start_live`.
        adapt: adapt the weights of `start` to the vocabulary, the normaliser, the front end and the
            statistics of `data`; else they are those of `start`. Layers that do not fit the
            vocabulary begin anew.
        quantization: train quantized, or null for float.
        batches: how batches are made.
        optimizer: how weights are updated.
        evaluate_every: steps between evaluations on the development split, and at most
            between checkpoints; null for no evaluation, which needs `keep: last`.
        keep: save the model with the lowest development WER, or the last one.
        checkpoint_minutes: longest time between checkpoints.
        seed: seed of the initial weights, the data order, the augmentation and the dropout.
        model: `ctc` or `transducer`; that of `start` if there is one, else `ctc`. A transducer
            may start from a CTC model: it takes over the encoder.
        transducer: shape of prediction and joint networks, instead of the preset's.
        compute: type of the activations in training, see `asr_qat.training.mixed_precision`.
            The model that is evaluated and saved computes in float32.
        frames_at_once: frames whose logits of the joint network are in memory at once, instead of
            the transducer's own `frames_at_once`.
        distillation: also learn the CTC logits of a teacher, or null.
        streaming: contexts and cascade of a live model, instead of the preset's.
    """

    data: str
    output: str
    steps: int
    preset: str | None = None
    encoder: EncoderConfig | None = None
    start: str | None = None
    quantization: QuantizationConfig | None = None
    batches: DataConfig = DataConfig()
    optimizer: OptimizerConfig = OptimizerConfig()
    evaluate_every: int | None = 500
    keep: Literal["best", "last"] = "best"
    checkpoint_minutes: float = 5.0
    seed: int = 0
    model: Literal["ctc", "transducer"] | None = None
    transducer: TransducerConfig | None = None
    compute: Literal["float32", "bfloat16", "float16"] = "float32"
    frames_at_once: int | None = None
    distillation: DistillationConfig | None = None
    streaming: StreamingConfig | None = None
    adapt: bool = False

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        require_within("steps", self.steps, 1, MOST_STEPS)
        require_within("seed", self.seed, 0, MOST_SEED)
        every = self.evaluate_every
        require(every is None or every >= 1, f"evaluate_every: {every} is less than 1")
        require(
            every is not None or self.keep == "last",
            "evaluate_every: null leaves no best model to keep: add `keep: last`",
        )
        minutes = self.checkpoint_minutes
        require(minutes >= 0, f"checkpoint_minutes: {minutes} is not a number from 0 up")

        frames = self.frames_at_once
        if frames is not None:
            require_within("frames_at_once", frames, 1, MOST_FRAMES)
        quantization = self.quantization
        require(
            quantization is None or quantization.mode != "ptq",
            "quantization.mode: 'ptq' is quantized after training: native or fake",
        )
        for name, last in (
            ("start_step", quantization.start_step if quantization else 0),
            ("stages", quantization.complete_step if quantization else 0),
        ):
            require(
                last < self.steps, f"quantization.{name}: not before the last of {self.steps} steps"
            )
        require(
            self.distillation is None or self.teacher() is not None,
            "distillation.teacher: is missing, and there is no `start` to learn from",
        )
        live = self.streaming is not None or self.preset in STREAMING
        require(
            not live or self.model == "transducer",
            "model: a live model is a transducer: add `model: transducer`",
        )
        require(
            not self.adapt or self.start is not None,
            "adapt: there is no `start` to adapt: give one",
        )
        wanted = self.transducer is None or self.model == "transducer"
        require(
            wanted,
            "transducer: is the shape of a model that is not asked for: add `model: transducer`",
        )

    def teacher(self) -> str | None:
        """The model directory to learn from; None without distillation."""
        return None if self.distillation is None else self.distillation.teacher or self.start

    def encoder_config(self) -> EncoderConfig | None:
        """The encoder's shape; None where `start` gives it.

        Raises:
            UserError: an unknown preset.
        """
        if self.encoder is not None:
            return self.encoder
        if self.preset is None and self.start is not None:
            return None
        return PRESETS[self._preset()]

    def transducer_config(self) -> TransducerConfig | None:
        """Shape of prediction and joint networks, None for a CTC model or where `start` gives it.

        Raises:
            UserError: an unknown preset.
        """
        given_by_start = self.preset is None and self.start is not None
        if self.model != "transducer" or self.transducer is not None or given_by_start:
            return self.transducer
        return TRANSDUCERS[self._preset()]

    def streaming_config(self) -> StreamingConfig | None:
        """Contexts and cascade, None for a model of whole utterances or where `start` gives them.

        Raises:
            UserError: an unknown preset.
        """
        given_by_start = self.preset is None and self.start is not None
        if self.streaming is not None or given_by_start or self.encoder is not None:
            return self.streaming
        return STREAMING.get(self._preset())

    def _preset(self) -> str:
        preset = self.preset or "tiny"
        if preset not in PRESETS:
            raise UserError(f"preset: '{preset}' is not one of {', '.join(PRESETS)}")
        return preset
