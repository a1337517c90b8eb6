"""tfmot quantizers for weights below and at 8 bits."""

import tensorflow as tf
import tensorflow_model_optimization as tfmot

from asr_qat.quantize.numerics import quantize_channels
from asr_qat.quantize.products import QuantizedKernel


class ChannelQuantizer(tfmot.quantization.keras.quantizers.Quantizer):
    """Symmetric per-channel weights; hands integers and scales to the layer.

    Args:
        weight_bits: width of the weights.
        activation_bits: width of the layer's inputs, None for float.
        native: integer product, or fake quantization.
        start_step: training steps before the quantization begins.
    """

    def __init__(
        self, weight_bits: int, activation_bits: int | None, native: bool, start_step: int = 0
    ):
        self.weight_bits = weight_bits
        self.activation_bits = activation_bits
        self.native = native
        self.start_step = start_step

    def build(self, tensor_shape, name, layer):
        """Adds the step counter, if the quantization begins later than at step 0."""
        if not self.start_step:
            return {}
        return {
            "step": layer.add_weight(
                name + "_step",
                shape=(),
                dtype=tf.int64,
                trainable=False,
                initializer="zeros",
                # Each replica of a distributed training counts for itself.
                synchronization=tf.VariableSynchronization.ON_READ,
                aggregation=tf.VariableAggregation.ONLY_FIRST_REPLICA,
            )
        }

    def __call__(self, inputs, training, weights, **kwargs):
        """The `QuantizedKernel` of the float weights `inputs` `[input, output]`."""
        weights_now = tf.convert_to_tensor(inputs)
        active = None
        if self.start_step:
            active = weights["step"] >= self.start_step
            if training:
                weights["step"].assign_add(1)
        integers, scale = quantize_channels(weights_now, self.weight_bits)
        return QuantizedKernel(
            integers, scale, self.activation_bits, self.native, weights_now, active
        )

    def get_config(self):
        """Constructor arguments."""
        return {
            "weight_bits": self.weight_bits,
            "activation_bits": self.activation_bits,
            "native": self.native,
            "start_step": self.start_step,
        }
