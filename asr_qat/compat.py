"""The private parts of TensorFlow, Keras 2 and tfmot that this project uses: all are here.

An upgrade that breaks this project breaks here first. Tested with the versions in
`constraints.txt`: TensorFlow 2.17, tf-keras 2.17, tensorflow-model-optimization 0.8.
"""

from typing import Any

import tensorflow as tf
from tensorflow import keras
from tensorflow.python.ops.control_flow_util import GraphOrParentsInXlaContext
from tensorflow_model_optimization.python.core.quantization.keras.quantize_registry import (
    QuantizeRegistry,
)
from tensorflow_model_optimization.python.core.quantization.keras.quantize_scheme import (
    QuantizeScheme,
)
from tensorflow_model_optimization.python.core.quantization.keras.quantize_wrapper import (
    QuantizeWrapperV2,
)

__all__ = [
    "QuantizeRegistry",
    "QuantizeScheme",
    "QuantizeWrapperV2",
    "all_layers",
    "inputs_of_call",
    "inside_xla",
    "layer_of",
    "layer_output",
    "nodes",
    "quantized_weight",
    "unwrapped",
    "weight_averages",
]


def quantized_weight(layer: QuantizeWrapperV2) -> tuple[tf.Variable, Any, dict[str, tf.Variable]]:
    """Kernel, quantizer and the quantizer's variables of a wrapper with one quantized weight."""
    ((kernel, quantizer, variables),) = layer._weight_vars
    return kernel, quantizer, variables


def unwrapped(layer: keras.layers.Layer) -> keras.layers.Layer:
    """The layer itself, whether it is in a quantization wrapper or not."""
    return getattr(layer, "layer", layer)


def nodes(model: keras.Model) -> list[Any]:
    """The calls of layers in a Functional model, each after those whose results it takes.

    A node has `layer`, `call_args`, `call_kwargs`, `keras_inputs` and `outputs`.
    """
    by_depth = model._nodes_by_depth
    return [node for depth in sorted(by_depth, reverse=True) for node in by_depth[depth]]


def inputs_of_call(model: keras.Model, given: Any) -> list[Any]:
    """What a Functional model is called with, in the order of its inputs.

    A dictionary is read by the names of the inputs.
    """
    return list(model._flatten_to_reference_inputs(given))


def layer_output(model: keras.Model, name: str) -> Any:
    """The tensor that a layer gives in a Functional model.

    The layer's own `output` may be that of another model: decoding makes models of its layers.
    """
    (output,) = (node.outputs for node in nodes(model) if node.layer.name == name)
    return output


def layer_of(tensor: Any) -> keras.layers.Layer:
    """The layer that made a tensor of a Functional model."""
    return tensor._keras_history.layer


def all_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model, those inside of layers too."""
    return list(model._flatten_layers())


def weight_averages(optimizer: keras.optimizers.Optimizer) -> list[tf.Variable]:
    """The moving averages of the trainable weights that an optimizer with `use_ema` keeps."""
    return optimizer._model_variables_moving_average


def inside_xla() -> bool:
    """Whether the graph under construction will be compiled by XLA."""
    return GraphOrParentsInXlaContext(tf.compat.v1.get_default_graph())
