"""tfmot quantize configs: which weights of a layer are quantized, and how."""

import tensorflow_model_optimization as tfmot

from asr_qat.quantize.quantizers import ChannelQuantizer


class DenseQuantizeConfig(tfmot.quantization.keras.QuantizeConfig):
    """Quantizes the kernel of `asr_qat.layers.dense.Dense`, and its input with it.

    The input is quantized inside the layer's product, because its scale is needed to rescale
    the integer sum. Bias and output stay float, as on the device.

    Args: those of `ChannelQuantizer`.
    """

    def __init__(
        self, weight_bits: int, activation_bits: int | None, native: bool, start_step: int = 0
    ):
        self.quantizer = ChannelQuantizer(weight_bits, activation_bits, native, start_step)

    def get_weights_and_quantizers(self, layer):
        """The kernel."""
        return [(layer.kernel, self.quantizer)]

    def set_quantize_weights(self, layer, quantize_weights):
        """Put the `QuantizedKernel` in the kernel's place."""
        (layer.kernel,) = quantize_weights

    def get_activations_and_quantizers(self, layer):
        """None."""
        return []

    def set_quantize_activations(self, layer, quantize_activations):
        """Nothing to set."""
        del layer, quantize_activations  # AutoGraph cannot read a body that is a docstring alone

    def get_output_quantizers(self, layer):
        """None."""
        return []

    def get_config(self):
        """Constructor arguments."""
        return self.quantizer.get_config()
