"""Distillation: the model learns the outputs of a trained one too (Hinton et al., 2015)."""

import dataclasses
import math

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat.audio.front_end import HALVINGS, subsampled_length
from asr_qat.compat import layer_output
from asr_qat.errors import UserError, require
from asr_qat.models.layer_names import CTC_HEAD, FIRST, Pass
from asr_qat.models.model_directory import Recogniser


@dataclasses.dataclass(frozen=True)
class DistillationConfig:
    """How a model learns from a teacher.

    Attributes:
        weight: of the distillation loss, which is added to the others.
        temperature: the logits of student and teacher are divided by it.
        teacher: model directory, or null for the float model that the training starts from.
    """

    weight: float = 1.0
    temperature: float = 1.0
    teacher: str | None = None

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        for name in ("weight", "temperature"):
            value = getattr(self, name)
            require(0 < value < math.inf, f"{name}: {value} is not a number above 0")


def distillation_loss(lengths, student, teacher, temperature: float = 1.0):
    """Divergence of the student's labels from the teacher's, in nats per utterance.

    `T^2 * sum over valid frames of KL(softmax(teacher / T) || softmax(student / T))`. The frames
    of CTC are independent, so that at `T = 1` this is the divergence between the two models'
    distributions over the paths, on the scale of the CTC loss. `T^2` keeps the size of the
    gradient. No gradient goes to the teacher.

    Args:
        lengths: int32 `[batch]`, valid frames.
        student: logits `[batch, time, classes]`.
        teacher: logits of the same shape.
        temperature: `T`.

    Returns:
        float32 `[batch]`.
    """
    teacher = tf.stop_gradient(tf.cast(teacher, tf.float32)) / temperature
    wanted = tf.nn.log_softmax(teacher)
    found = tf.nn.log_softmax(tf.cast(student, tf.float32) / temperature)
    frames = tf.reduce_sum(tf.exp(wanted) * (wanted - found), axis=-1)
    valid = tf.sequence_mask(lengths, tf.shape(frames)[1])
    return temperature**2 * tf.reduce_sum(tf.where(valid, frames, 0.0), axis=1)


class Distillation:
    """The loss of a training step that compares CTC logits to a teacher's.

    Args:
        teacher: a Functional model with a CTC head; it stays as it is.
        config: weight and temperature.
        scale: what the student's features `[mel_bins]` are multiplied by for the teacher.
        shift: what is added to them then.
        halvings: how often the encoders halve the time axis.
        teacher_pass: whose CTC head; of a live teacher the second pass, as of a live student.
    """

    def __init__(
        self,
        teacher: keras.Model,
        config: DistillationConfig,
        scale=1.0,
        shift=0.0,
        halvings: int = HALVINGS,
        teacher_pass: Pass = FIRST,
    ):
        logits = layer_output(teacher, CTC_HEAD[teacher_pass])
        self._teacher = keras.Model(teacher.inputs[:2], logits)
        self._config = config
        self._scale, self._shift = np.float32(scale), np.float32(shift)
        self._halvings = halvings

    def teach(self, inputs):
        """The teacher's logits `[batch, time, classes]` of the student's inputs."""
        features, lengths = inputs[0], inputs[1]
        logits = self._teacher([features * self._scale + self._shift, lengths], training=False)
        return tf.stop_gradient(logits)

    def loss(self, inputs, student, teacher):
        """Weighted loss, float32 `[batch]`, of the student's logits and what `teach` gave."""
        lengths = subsampled_length(inputs[1], self._halvings)
        config = self._config
        return config.weight * distillation_loss(lengths, student, teacher, config.temperature)


def load_teacher(config: DistillationConfig, start: str | None, student: Recogniser) -> Recogniser:
    """Read the teacher of `student`, which began as the model directory `start` if any.

    Raises:
        UserError: one of the two has no CTC head, or they do not hear or write the same.
    """
    path = config.teacher or start
    assert path is not None  # see `TrainConfig`
    teacher = Recogniser.load(path)
    require(
        config.teacher is not None or teacher.config.quantization is None,
        f"distillation.teacher: is missing, and {path} is quantized: name the float model",
    )
    for name, recogniser in (("the model", student), (path, teacher)):
        require(
            recogniser.config.kind.has_ctc_logits,
            f"distillation: {name} has no CTC logits: a transducer needs a ctc_weight above 0",
        )
    if teacher.tokenizer.proto != student.tokenizer.proto:
        raise UserError(f"distillation: teacher: {path} has another vocabulary than the model")
    if teacher.config.encoder.halvings != student.config.encoder.halvings:
        raise UserError(f"distillation: teacher: {path} has another subsampling_factor")
    if teacher.config.front_end != student.config.front_end:
        raise UserError(f"distillation: teacher: {path} has another front end than the model")
    return teacher
