"""From a quantized Keras model to a plain float model that holds the same weights.

Every trained weight becomes the value that its integer and scale stand for, so that packing
finds the trained integers again.
"""

from tensorflow import keras

from asr_qat.models.ctc import build_ctc
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.numerics import quantize_channels
from tensorflow_model_optimization.python.core.quantization.keras.quantize_wrapper import (
    QuantizeWrapperV2,
)


def bake(recogniser: Recogniser) -> keras.Model:
    """The float model with the values of the quantized weights.

    Args:
        recogniser: quantized or not; without wrappers the weights are taken as they are.

    Returns:
        A model of the same architecture, without wrappers.
    """
    plain = build_ctc(
        recogniser.config.encoder,
        recogniser.tokenizer.vocab_size,
        recogniser.config.front_end.mel_bins,
    )
    for layer in plain.layers:
        trained = recogniser.model.get_layer(layer.name)
        if isinstance(trained, QuantizeWrapperV2):
            layer.set_weights(_baked(trained))
        else:
            layer.set_weights(trained.get_weights())
    return plain


def _baked(wrapper: QuantizeWrapperV2) -> list:
    """Kernel on the grid and, where there is one, the bias."""
    ((kernel, quantizer, _),) = wrapper._weight_vars
    integers, scale = quantize_channels(kernel, quantizer.weight_bits)
    bias = [wrapper.layer.bias.numpy()] if wrapper.layer.use_bias else []
    return [(integers * scale).numpy(), *bias]
