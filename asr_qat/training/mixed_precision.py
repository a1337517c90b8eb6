"""Training in 16-bit floats where it does no harm (Micikevicius et al., 2018).

The weights stay float32. So do the quantized products, whose integer sums a 16-bit float could
not hold, the quantizers, the normalisations, the recurrence, softmax, the outputs and the losses.
"""

import tensorflow as tf
from tensorflow import keras

from asr_qat.compat import layer_of
from asr_qat.layers.dropout import Dropout
from asr_qat.layers.gated_linear_unit import GatedLinearUnit
from asr_qat.layers.masking import ZeroPadding
from asr_qat.layers.relative_attention import RelativeAttention
from asr_qat.quantize.conv import Conv2D
from asr_qat.quantize.dense import Dense
from asr_qat.quantize.scheme import quantize_scope

# A quantized layer is in a wrapper, and is none of these.
LOW_PRECISION = (
    Conv2D,
    Dense,
    Dropout,
    GatedLinearUnit,
    RelativeAttention,
    ZeroPadding,
    keras.layers.Activation,
    keras.layers.Add,
    keras.layers.Conv2D,
    keras.layers.DepthwiseConv1D,
    keras.layers.DepthwiseConv2D,
    keras.layers.Rescaling,
    keras.layers.Reshape,
    keras.layers.ZeroPadding1D,
    keras.layers.ZeroPadding2D,
)
FIRST_SCALE = 2.0**15
STEPS_TO_GROW = 2000  # without an overflow, before the scale is doubled


@tf.autograph.experimental.do_not_convert  # nothing to convert, and it takes seconds to see it
def training_copy(model: keras.Model, compute: str) -> keras.Model:
    """A copy of a Functional model, weights included, that computes in another precision.

    Args:
        model: float32, quantized or not.
        compute: `float32`, `bfloat16` or `float16`.
    """
    outputs = {layer_of(tensor).name for tensor in model.outputs}
    low = "float32" if compute == "float32" else f"mixed_{compute}"

    def copy(layer):
        config = layer.get_config()
        if type(layer) in LOW_PRECISION and layer.name not in outputs:
            config["dtype"] = low
        return layer.__class__.from_config(config)

    with quantize_scope():
        copied = keras.models.clone_model(model, clone_function=copy)
    copied.set_weights(model.get_weights())
    return copied


class LossScale(tf.Module):
    """Keeps the gradients of float16 activations from vanishing: they are of a larger loss.

    A step whose gradients overflow counts as one with gradients of zero, and halves the scale.
    """

    def __init__(self):
        super().__init__()
        kind = {
            "trainable": False,
            "synchronization": tf.VariableSynchronization.ON_READ,
            "aggregation": tf.VariableAggregation.ONLY_FIRST_REPLICA,
        }
        self.factor = tf.Variable(FIRST_SCALE, **kind)
        self.steps = tf.Variable(0, **kind)  # since the last overflow or change

    def unscaled(self, gradients):
        """Gradients of the loss itself, from those of `factor` times the loss."""
        factor = tf.identity(self.factor)
        finite = tf.reduce_all([tf.reduce_all(tf.math.is_finite(g)) for g in gradients])
        steps = tf.where(finite, self.steps + 1, 0)
        grow = steps >= STEPS_TO_GROW
        kept = tf.where(grow, 2.0 * factor, factor)
        self.factor.assign(tf.where(finite, kept, tf.maximum(0.5 * factor, 1.0)))
        self.steps.assign(tf.where(grow, 0, steps))
        return [tf.where(finite, g / factor, tf.zeros_like(g)) for g in gradients]
