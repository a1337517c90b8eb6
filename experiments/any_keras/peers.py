"""The same float models by other tools: tfmot's 8-bit training, LiteRT's quantizer after it."""

import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import litert_quantizer
import tensorflow as tf
import tensorflow_model_optimization as tfmot
from litert_quantizer import recipe
from tensorflow import keras

from tflite_export.silence import silence

RECIPES: dict[str, Callable[[], Any]] = {
    "LiteRT quantizer, int8": recipe.dynamic_wi8_afp32,
    "LiteRT quantizer, int4": recipe.dynamic_wi4_afp32,
}


def tfmot_model(model: keras.Model) -> tuple[keras.Model, list[str]]:
    """A copy that trains with tfmot's 8 bits, and the names of the layers that it leaves float.

    tfmot quantizes every input of a model, and stops at one of integers: what comes after an
    embedding is given to it then, and the embedding stays in front of it.
    """
    if all(x.dtype.is_floating for x in model.inputs):
        return _tfmot_floats(model)
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    (embedding,) = [each for each in copy.layers if isinstance(each, keras.layers.Embedding)]
    rest, left = _tfmot_floats(keras.Model(embedding.output, copy.output))
    return keras.Model(copy.input, rest(embedding.output)), [embedding.name, *left]


def _tfmot_floats(model: keras.Model) -> tuple[keras.Model, list[str]]:
    """Of a model of float inputs.

    tfmot's `quantize_model` stops at a layer that its 8 bits do not know: such layers are not
    annotated then, as its guide says.
    """
    try:
        return tfmot.quantization.keras.quantize_model(model), []
    except RuntimeError:  # it names one of the layers
        pass
    scheme = tfmot.quantization.keras.default_8bit.Default8BitQuantizeScheme()
    registry, left = scheme.get_quantize_registry(), []

    def annotate(layer: keras.layers.Layer) -> keras.layers.Layer:
        # It takes batch normalisation over into the layer before.
        if registry.supports(layer) or isinstance(layer, keras.layers.BatchNormalization):
            return tfmot.quantization.keras.quantize_annotate_layer(layer)
        if layer.weights:
            left.append(layer.name)
        return layer

    copy = keras.models.clone_model(model, clone_function=annotate)
    copy.set_weights(model.get_weights())
    return tfmot.quantization.keras.quantize_apply(copy), left


def converter_file(
    model: keras.Model, inputs: Mapping[str, Sequence[int]], optimize: bool = False
) -> bytes:
    """What TensorFlow's converter makes of a model.

    Args:
        model: in float, or trained by tfmot.
        inputs: shape of each input, by name.
        optimize: by its default optimizations, which give tfmot's models their integers.
    """
    specs = {x.name: tf.TensorSpec(inputs[x.name], x.dtype, x.name) for x in model.inputs}
    call = tf.function(lambda **given: model([given[name] for name in model.input_names]))
    function = call.get_concrete_function(**specs)
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT] if optimize else []
    with silence(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        content: bytes = converter.convert()
    return content


def quantizer_file(content: bytes, kind: Callable[[], Any]) -> bytes:
    """A float file of the converter with the weights that LiteRT's quantizer gives it.

    It needs a name for every tensor, which our own files do without.
    """
    quantizer = litert_quantizer.Quantizer(bytearray(content), kind())
    with silence(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = quantizer.quantize(enable_progress_bar=False, enable_progress_report=False)
    return bytes(found.quantized_model)
