"""Robustness-aware norm decay: a penalty on the range of the weights that are quantized.

A channel's quantization step is proportional to its largest weight, so that a single outlier
coarsens the grid of all the others. Qiu et al. (2023, "RAND: Robustness Aware Norm Decay For
Quantized Seq2seq Models", arXiv 2305.15536) report that quantized training suffers where too
little of a regularisation signal flows back to the quantization scale and the outliers that it
is made from, and regularise these within the end-to-end loss, by scales that are functions of
the outliers. That much their abstracts tell, and this module takes the aim from there. The
explicit penalty below, instead of a gradient through the scale, is this package's own.

Added to the loss, over the groups of weights that share a scale (a channel, or one of its blocks):

    weight / 2 * sum over groups of |w|_p^2,    |w|_p = (sum_i |w_i|^p)^(1/p)

The maximum norm (no `p`) is the range itself: its gradient goes to the outliers alone. `p = 2` is
`l2` on the quantized weights alone; a `p` between reaches the next largest weights as well.
"""

import dataclasses
import math

import tensorflow as tf
from tensorflow import keras

from asr_qat.errors import require
from asr_qat.quantize.apply import quantized_layers
from asr_qat.quantize.grids import blocks_of
from asr_qat.quantize.product_layer import ProductLayer


@dataclasses.dataclass(frozen=True)
class NormDecayConfig:
    """A penalty on the norm of each quantized channel.

    Attributes:
        weight: factor of the penalty.
        p: order of the norm, from 1 up, or null for the maximum norm.
    """

    weight: float
    p: float | None = None

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        require(0 < self.weight < math.inf, f"weight: {self.weight} is not a number above 0")
        require(
            self.p is None or 1 <= self.p < math.inf,
            f"p: {self.p} is not a number from 1 up; omit it for the maximum norm",
        )


def norm_decay(weights, p: float | None = None):
    """Gradient of `|w|_p^2 / 2`, the norm taken over the axis before the last.

    `|w|_p^(2-p) |w_i|^(p-1) sign(w_i)`, computed relative to the largest weight; with the maximum
    norm `w_i` where `|w_i|` is the largest, shared among equals, and zero elsewhere.

    Args:
        weights: float32 `[..., input, output]`.
        p: from 1 up, or None for the maximum norm.

    Returns:
        float32, of the same shape.
    """
    size = tf.abs(weights)
    largest = tf.reduce_max(size, axis=-2, keepdims=True)
    if p is None:
        at_largest = tf.cast(size == largest, weights.dtype)
        return weights * at_largest / tf.reduce_sum(at_largest, axis=-2, keepdims=True)
    size = tf.math.divide_no_nan(size, largest)
    total = tf.reduce_sum(size**p, axis=-2, keepdims=True)
    total = tf.where(total > 0, total, 1.0)  # a group of zeros
    return tf.sign(weights) * largest * total ** ((2 - p) / p) * size ** (p - 1)


class NormDecay:
    """Adds the penalty's gradient to those of a model.

    Args:
        model: its quantized kernels are penalised; in a float model those of all products, which
            are quantized later.
        config: how much.
    """

    def __init__(self, model: keras.Model, config: NormDecayConfig):
        self._config = config
        self._blocks = {
            layer.kernel.ref(): layer.precision.block for layer in quantized_layers(model).values()
        }
        if not self._blocks:
            layers = [layer for layer in model.layers if isinstance(layer, ProductLayer)]
            self._blocks = {layer.kernel.ref(): None for layer in layers}

    def added(self, gradients, weights):
        """`gradients` of the variables `weights` and of the penalty."""
        return [
            g + self._slope(w) if w.ref() in self._blocks else g
            for g, w in zip(gradients, weights, strict=True)
        ]

    def _slope(self, kernel):
        groups = blocks_of(tf.convert_to_tensor(kernel), self._blocks[kernel.ref()])
        slope = norm_decay(groups, self._config.p)
        return self._config.weight * tf.reshape(slope, kernel.shape)
