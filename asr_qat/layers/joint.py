"""The joint network of a transducer (Graves, 2012; additive, as in Rao et al., 2017)."""

import dataclasses
from collections.abc import Sequence
from typing import Literal

import tensorflow as tf
from tensorflow import keras

from asr_qat.losses.fused_transducer import fused_transition_log_probs
from asr_qat.losses.transducer import token_log_probs
from asr_qat.quantize.dense import InnerDense, product, with_kernel
from asr_qat.quantize.product_layer import quantized_layer
from asr_qat.quantize.products import QuantizedKernel

Activation = Literal["tanh", "relu"]
_ACTIVATIONS = {"tanh": tf.tanh, "relu": tf.nn.relu}


@quantized_layer
class Joint(InnerDense):
    """`f(encoded + predicted) @ kernel + bias` for every pair of a frame and a label count.

    With labels as a third input it goes on to what the loss needs of these logits, which
    then need not all be in memory at once.

    Args:
        units: classes: labels, the blank, durations.
        frames_at_once: frames whose logits are in memory at once, in the training of a whole
            batch: others are computed again for the gradient. None for all, without that cost.
        hidden: the activation `f`.
        durations: frames of each duration; none of a plain transducer.

    Call arguments:
        encoded: `[batch, time, joint]`.
        predicted: `[batch, 1 + labels, joint]`.
        labels: int32 `[batch, labels]`, optional.

    Returns:
        Logits `[batch, time, 1 + labels, classes]`; with labels, the log-probabilities of the
        blank, of the next label and of each duration, float32 `[batch, time, 1 + labels, 2 +
        durations]`. Behind the last label that of the next one means nothing.
    """

    def __init__(
        self,
        units: int,
        frames_at_once: int | None = None,
        hidden: Activation = "tanh",
        durations: Sequence[int] = (),
        **kwargs,
    ):
        super().__init__(units, **kwargs)
        self.frames_at_once = frames_at_once
        self.hidden = hidden
        self.durations = tuple(durations)
        self.input_spec = None  # not one tensor of floats

    def build(self, input_shape):
        super().build(input_shape[0])
        self.input_spec = None

    def call(self, inputs):
        encoded, predicted = inputs[:2]
        if len(inputs) == 2:
            return self._logits(encoded, predicted, self.kernel, self.bias)
        return with_kernel(lambda kernel: self._transitions(inputs, kernel), self.kernel)

    def _transitions(self, inputs, kernel):
        encoded, predicted, labels = inputs
        if self.frames_at_once is None:
            logits = self._logits(encoded, predicted, kernel, self.bias)
            return token_log_probs(logits, labels, len(self.durations))
        quantized = isinstance(kernel, QuantizedKernel)

        def join(encoded, predicted, matrix, bias):
            """Logits as a function of the tensors that a gradient goes to, too."""
            own = (
                dataclasses.replace(kernel, integers=matrix, trained=None) if quantized else matrix
            )
            return self._logits(encoded, predicted, own, bias)

        weights = [kernel.integers if quantized else kernel, self.bias]
        return fused_transition_log_probs(
            join,
            encoded,
            predicted,
            labels,
            weights,
            self.frames_at_once,
            len(self.durations),
        )

    def _logits(self, encoded, predicted, kernel, bias):
        hidden = _ACTIVATIONS[self.hidden](encoded[:, :, None, :] + predicted[:, None, :, :])
        return tf.nn.bias_add(product(hidden, kernel), bias)

    def get_config(self):
        own = {
            "units": self.units,
            "frames_at_once": self.frames_at_once,
            "hidden": self.hidden,
            "durations": self.durations,
        }
        return {**keras.layers.Layer.get_config(self), **own}
