"""From a quantized Keras model to a plain float model that holds the same weights.

Every trained weight becomes the value that its integer and scale stand for, so that packing
finds the trained integers again.
"""

from tensorflow import keras

from asr_qat.models.model_directory import Recogniser, build_float
from asr_qat.quantize.apply import QuantizedLayer, quantized_layers
from asr_qat.quantize.numerics import quantize_channels


def bake(recogniser: Recogniser) -> keras.Model:
    """The float model with the values of the quantized weights.

    Args:
        recogniser: quantized or not; without wrappers the weights are taken as they are.

    Returns:
        A model of the same architecture, without wrappers.
    """
    plain = build_float(recogniser.config, recogniser.tokenizer.vocab_size)
    quantized = quantized_layers(recogniser.model)
    for layer in plain.layers:
        if layer.name in quantized:
            layer.set_weights(_baked(quantized[layer.name]))
        else:
            layer.set_weights(recogniser.model.get_layer(layer.name).get_weights())
    return plain


def _baked(layer: QuantizedLayer) -> list:
    """Kernel on the grid and, where there is one, the bias."""
    integers, scale = quantize_channels(layer.kernel, layer.quantizer.weight_bits)
    bias = [] if layer.bias is None else [layer.bias.numpy()]
    return [(integers * scale).numpy(), *bias]
