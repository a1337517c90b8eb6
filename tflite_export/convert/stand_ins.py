"""The plain model that is converted: real vectors, and stand-ins for the kernels of products.

What the converter makes of a product does not depend on its weights. So it sees others: products
with the same place in their blocks have one kernel in common, and the graph of any depth holds
about one block's weights. The trained ones are written into the flatbuffer, see
`tflite_export.convert.pack`.

Two products that read the same tensor have kernels of their own, since the converter computes
equal products once: the relative positions are one table for all blocks.
"""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf
from tensorflow import keras

from asr_qat.models.layer_names import ATTENTION_POSITION, block_layer
from asr_qat.models.model_directory import Recogniser, build_float
from asr_qat.quantize.apply import QuantizationConfig
from asr_qat.quantize.depthwise import DepthwiseConv, is_stock, product_of, stock_config
from asr_qat.quantize.product_layer import ProductLayer
from tflite_export.convert.bake import BakedLayer


def stand_in_model(recogniser: Recogniser, layers: Mapping[str, BakedLayer]) -> keras.Model:
    """The plain model of a recogniser, with stand-ins for the kernels of its products.

    Args:
        recogniser: quantized or not.
        layers: its quantized layers by name; those of asymmetric grids get their offsets.
    """
    plain = with_depthwise_products(new_stand_ins(recogniser), recogniser.config.quantization)
    for layer in plain.layers:
        if layer.name in recogniser.config.kind.training_only:
            continue
        trained = recogniser.model.get_layer(layer.name)
        trained = getattr(trained, "layer", trained)  # a quantized layer is in a wrapper
        if not isinstance(layer, ProductLayer):
            layer.set_weights(trained.get_weights())
            continue
        if layer.use_bias:
            layer.bias.assign(trained.bias)
    add_offsets(plain, layers)
    return plain


def new_stand_ins(recogniser: Recogniser) -> keras.Model:
    """The plain model of a recogniser, whose own is not read, with initial vectors."""
    with tf.variable_creator_scope(_SharedKernels().create):
        return build_float(recogniser.config, recogniser.tokenizer.vocab_size)


def quantized_depthwise(
    plain: keras.Model, quantization: QuantizationConfig | None
) -> list[keras.layers.Layer]:
    """The depthwise convolutions of a plain model that `quantization` quantizes."""
    if quantization is None:
        return []
    registry = quantization.registry()
    return [layer for layer in plain.layers if is_stock(layer) and registry.of(layer)]


def with_depthwise_products(
    plain: keras.Model, quantization: QuantizationConfig | None
) -> keras.Model:
    """The same, in which the depthwise convolutions that `quantization` quantizes are products."""
    found = {layer.name for layer in quantized_depthwise(plain, quantization)}
    if not found:
        return plain

    def copied(layer: keras.layers.Layer) -> keras.layers.Layer:
        if layer.name in found:
            return DepthwiseConv(**stock_config(layer), name=layer.name)
        return layer.__class__.from_config(layer.get_config())

    with tf.variable_creator_scope(_SharedKernels().create):
        made = keras.models.clone_model(plain, clone_function=copied)
    for old, new in zip(plain.layers, made.layers, strict=True):
        source = product_of(old) if old.name in found else old
        new.set_weights(source.get_weights())
    return made


def add_offsets(plain: keras.Model, layers: Mapping[str, BakedLayer]) -> None:
    """Give the layers of asymmetric grids their offsets."""
    for name, layer in layers.items():
        if layer.offset is not None:
            dense = plain.get_layer(name)
            dense.add_offset()
            dense.offset.assign(layer.offset)


class _SharedKernels:
    """Variables of a model under construction: one kernel for each role of a product."""

    def __init__(self) -> None:
        self._kernels: dict[str, tf.Variable] = {}

    def create(self, next_creator: Any, **given: Any) -> tf.Variable:
        """As TensorFlow asks for it: see `tf.variable_creator_scope`."""
        layer = tf.get_current_name_scope()
        if given["name"] != "kernel" or len(given["shape"]) != 2:
            return next_creator(**given)
        role = role_of(layer)
        if role not in self._kernels:
            self._kernels[role] = next_creator(**given)  # with its random initial values
        return self._kernels[role]


def role_of(name: str) -> str:
    """What products have in common that may have the same stand-in."""
    layer = block_layer(name)
    return name if layer is None or layer.place == ATTENTION_POSITION else layer.place
