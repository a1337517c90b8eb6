"""tfmot quantize configs: which weights of a layer are quantized, and how."""

from typing import Any

import tensorflow as tf
import tensorflow_model_optimization as tfmot
from tensorflow import keras

from asr_qat.quantize.precision import Precision
from asr_qat.quantize.quantizers import KernelQuantizer
from asr_qat.quantize.rows import RowQuantizer


@keras.utils.register_keras_serializable("asr_qat")
class KernelQuantizeConfig(tfmot.quantization.keras.QuantizeConfig):
    """Quantizes the kernel of a `ProductLayer`, and its input with it.

    The input is quantized inside the layer's product, because its scale is needed to rescale
    the integer sum; so is the output, where it has a static range. Else it stays float, as on
    the device.

    Args:
        precision: of the layer, or its fields.
        more: further arguments of `KernelQuantizer`.
    """

    quantizer_class = KernelQuantizer

    def __init__(self, precision: Precision | dict[str, Any], **more: Any):
        if isinstance(precision, dict):
            precision = Precision(**precision)
        self.quantizer = self.quantizer_class(precision, **more)

    def get_weights_and_quantizers(
        self, layer: keras.layers.Layer
    ) -> list[tuple[tf.Variable, KernelQuantizer]]:
        """The kernel."""
        return [(layer.kernel, self.quantizer)]

    def set_quantize_weights(self, layer: keras.layers.Layer, quantize_weights: Any) -> None:
        """Replace the kernel by the `QuantizedKernel`."""
        (layer.kernel,) = quantize_weights

    def get_activations_and_quantizers(self, layer: keras.layers.Layer) -> list[Any]:
        """None."""
        return []

    def set_quantize_activations(
        self, layer: keras.layers.Layer, quantize_activations: Any
    ) -> None:
        """Nothing to set."""
        del layer, quantize_activations  # AutoGraph cannot read a body that is a docstring alone

    def get_output_quantizers(self, layer: keras.layers.Layer) -> list[Any]:
        """None."""
        return []

    def get_config(self) -> dict[str, Any]:
        """Constructor arguments."""
        return self.quantizer.get_config()


@keras.utils.register_keras_serializable("asr_qat")
class RowsQuantizeConfig(KernelQuantizeConfig):
    """Quantizes the table of a `RowEmbedding`, whose outputs are float."""

    quantizer_class = RowQuantizer
