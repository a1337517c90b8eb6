"""What differs between kinds of models: CTC, transducer, live transducer.

Everything that has to know the kind asks it here; `ModelConfig.kind` is the only place that
decides which one a model is.
"""

import abc
from collections.abc import Sequence
from typing import Any, ClassVar

import tensorflow as tf
from tensorflow import keras

from asr_qat.decoding.live_format import LiveFormat
from asr_qat.errors import UserError
from asr_qat.models.keras_decoder import Decoder
from asr_qat.models.layer_names import FIRST, Pass

WeightedLoss = tuple[keras.losses.Loss, float]
Signatures = dict[str, tf.types.experimental.ConcreteFunction]


class ModelKind(abc.ABC):
    """One kind of model, of a given shape.

    Attributes:
        title: in words, for messages.
        passes: of a live model, the first and the second; else none.
        reads_labels: whether the trained graph has the transcript as an input.
        streams: whether its file takes audio in chunks, else whole utterances.
        ctc_pass: whose CTC head gives the logits that a teacher and an alignment use.
    """

    title: ClassVar[str]
    passes: ClassVar[tuple[Pass, ...]] = ()
    reads_labels: ClassVar[bool] = True
    streams: ClassVar[bool] = False
    ctc_pass: ClassVar[Pass] = FIRST

    @abc.abstractmethod
    def build(self, vocab_size: int) -> keras.Model:
        """The Functional model that is trained, not quantized, with initial weights."""

    @abc.abstractmethod
    def losses(self) -> list[WeightedLoss]:
        """The loss of each output of the model, and its weight."""

    @property
    def training_only(self) -> frozenset[str]:
        """Layers that only the training has: no file holds them."""
        return frozenset()

    @property
    @abc.abstractmethod
    def has_ctc_logits(self) -> bool:
        """Whether the model has a CTC head."""

    @abc.abstractmethod
    def decoder(self, model: keras.Model, pass_name: Pass | None = None) -> Decoder:
        """The search with a Keras model of this kind, quantized or not.

        Args:
            model: from `build`, also after `quantize_model`.
            pass_name: of a live model; None for the last.
        """

    @abc.abstractmethod
    def signatures(self, model: keras.Model, sizes: Sequence[int]) -> Signatures:
        """The functions of the `.tflite`, by name.

        Args:
            model: from `build`, not quantized.
            sizes: feature frames of each encode function; of a live model, encoded frames of
                each step.
        """

    def live_format(self, model: keras.Model, sizes: Sequence[int]) -> LiveFormat | None:
        """What the caller of a live model's signatures has to know; None for other kinds."""
        del model, sizes
        return None

    def model_inputs(self, inputs: Any, targets: Any) -> Any:
        """The model's inputs in a batch of `Pipeline`, whose targets hold the labels."""
        return (*inputs, targets[:, 1:]) if self.reads_labels else inputs

    def _refuse_pass(self, pass_name: Pass | None) -> None:
        if pass_name is not None:
            raise UserError(f"the {pass_name} pass: a {self.title} has no passes")
