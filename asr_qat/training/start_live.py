"""A live model that begins with the weights of a model of whole utterances.

The causal encoder takes over the first blocks, the cascade those that follow. Layers that do not
fit, or that the other model lacks, keep their initial weights.
"""

import numpy as np
from tensorflow import keras

from asr_qat.models.layer_names import whole_utterance_layer
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import Recogniser


def live_from_whole(started: Recogniser, config: ModelConfig) -> Recogniser:
    """A live model as `config` describes it, float, with the weights of `started`, float too."""
    live = Recogniser.create(config, started.tokenizer, started.mean, started.std)
    weights = {layer.name: layer.get_weights() for layer in started.model.layers}
    for layer in live.model.layers:
        found = weights.get(whole_utterance_layer(layer.name, config.encoder.blocks))
        if not found:
            continue
        if layer.name.endswith("_conv_depthwise"):
            found = [causal_kernel(found[0], config.encoder.kernel), *found[1:]]
        set_if_fitting(layer, found)
    return live


def set_if_fitting(layer: keras.layers.Layer, weights: list[np.ndarray]) -> bool:
    """Give a layer these weights if they have its shapes. Returns whether they do."""
    fitting = [w.shape for w in weights] == [tuple(w.shape) for w in layer.weights]
    if fitting:
        layer.set_weights(weights)
    return fitting


def causal_kernel(kernel: np.ndarray, length: int) -> np.ndarray:
    """A kernel that hears the present and the past as a centred one does, and nothing to come.

    Args:
        kernel: `[frames, ...]` of a convolution with padding on both sides.
        length: frames of the kernel that ends at its frame.

    Returns:
        `[length, ...]`.
    """
    past = kernel[: (len(kernel) - 1) // 2 + 1][-length:]
    return np.concatenate([np.zeros((length - len(past), *kernel.shape[1:]), kernel.dtype), past])
