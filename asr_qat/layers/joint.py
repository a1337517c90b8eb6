"""The joint network of a transducer (Graves, 2012; additive, as in Rao et al., 2017)."""

import dataclasses

import tensorflow as tf
from tensorflow import keras

from asr_qat.losses.fused_transducer import fused_transition_log_probs
from asr_qat.losses.transducer import node_log_probs
from asr_qat.quantize.dense import Dense, product, quantized_layer, with_kernel
from asr_qat.quantize.products import QuantizedKernel


@quantized_layer
class Joint(Dense):
    """`tanh(encoded + predicted) @ kernel + bias` for every pair of a frame and a label count.

    With labels as a third input it goes on to what the loss needs of these logits, which
    then need not all be in memory at once.

    Args:
        units: classes, the blank last.
        frames_at_once: frames whose logits are in memory at once, in the training of a whole
            batch: others are computed again for the gradient. None for all, without that cost.

    Call arguments:
        encoded: `[batch, time, joint]`.
        predicted: `[batch, 1 + labels, joint]`.
        labels: int32 `[batch, labels]`, optional.

    Returns:
        Logits `[batch, time, 1 + labels, classes]`; with labels, the log-probabilities of the
        blank and of the next label, float32 `[batch, time, 1 + labels, 2]`. Behind the last
        label that of the next one means nothing.
    """

    def __init__(self, units: int, frames_at_once: int | None = None, **kwargs):
        super().__init__(units, **kwargs)
        self.frames_at_once = frames_at_once
        self.input_spec = None  # not one tensor of floats

    def build(self, input_shape):
        super().build(input_shape[0])
        self.input_spec = None

    def call(self, inputs):
        encoded, predicted = inputs[:2]
        if len(inputs) == 2:
            return _logits(encoded, predicted, self.kernel, self.bias)
        return with_kernel(lambda kernel: self._transitions(inputs, kernel), self.kernel)

    def _transitions(self, inputs, kernel):
        encoded, predicted, labels = inputs
        if self.frames_at_once is None:
            logits = _logits(encoded, predicted, kernel, self.bias)
            return tf.stack(node_log_probs(logits, labels), axis=-1)
        quantized = isinstance(kernel, QuantizedKernel)

        def join(encoded, predicted, matrix, bias):
            """Logits as a function of the tensors that a gradient goes to, too."""
            own = (
                dataclasses.replace(kernel, integers=matrix, trained=None) if quantized else matrix
            )
            return _logits(encoded, predicted, own, bias)

        weights = [kernel.integers if quantized else kernel, self.bias]
        return fused_transition_log_probs(
            join, encoded, predicted, labels, weights, self.frames_at_once
        )

    def get_config(self):
        own = {"units": self.units, "frames_at_once": self.frames_at_once}
        return {**keras.layers.Layer.get_config(self), **own}


def _logits(encoded, predicted, kernel, bias):
    hidden = tf.tanh(encoded[:, :, None, :] + predicted[:, None, :, :])
    return tf.nn.bias_add(product(hidden, kernel), bias)
