"""From a Keras model of any kind to one `.tflite` file.

The converter sees the kernels of quantized products as inputs of the graph, each with a name of
its own: it can merge nothing into them, and what multiplies by an input is the product of that
layer. Then the packed integers take the places of the inputs, see `tflite_export.convert.pack`.
"""

import keyword
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow import keras

from asr_qat import files
from asr_qat.compat import QuantizeWrapperV2, unwrapped
from asr_qat.errors import require
from asr_qat.quantize.apply import quantized_layers
from asr_qat.quantize.device_kernel import DeviceKernel
from asr_qat.quantize.keras_model import quantize_after_training
from asr_qat.quantize.recurrence import Recurrence
from asr_qat.quantize.stock.rewrite import require_graph
from tflite_export.convert.bake import BakedLayer, bake
from tflite_export.convert.converter import flatbuffer_of
from tflite_export.convert.kernel_inputs import FENCE, KERNEL, take_kernels
from tflite_export.convert.pack import pack
from tflite_export.convert.serialize import serialize
from tflite_export.convert.tensor_names import name_tensors, strip_names

SIGNATURE = "serving_default"

Shape = Sequence[int | None]
Shapes = Shape | Mapping[str, Shape]  # of the one input, or by the name of the input


def export(
    model: keras.Model,
    output: str | Path,
    signatures: Mapping[str, Shapes] | None = None,
    precision: str | None = None,
    calibration: Iterable[Any] | None = None,
    quiet: bool = True,
    names: bool = True,
) -> None:
    """Write a Keras model as `.tflite`.

    Args:
        model: Functional or Sequential; of one from `asr_qat.quantize_model`, or from tfmot with
            `asr_qat.Scheme`, the products are stored as packed integers.
        output: file to write.
        signatures: shapes of the inputs, by the name of the signature; all signatures share the
            weights. A dimension of None stays open: it can be set before each run, and costs
            speed, since parts of the graph that depend on it cannot be delegated. None: one
            signature with a batch of 1.
        precision: that a float model is quantized at after training. None: it stays as it is.
        calibration: as of `asr_qat.quantize_after_training`.
        quiet: without progress of the rounding.
        names: as of `tflite_export.convert.convert.convert`.

    Raises:
        UserError: a model without a graph of layers, a precision that the device does not execute,
            a shape that does not fit the model, the name of an input, or the disk is full.
    """
    if precision is not None:
        model = quantize_after_training(model, precision, calibration, quiet=quiet)
    files.write_bytes(output, converted(model, signatures, names))


def converted(
    model: keras.Model, signatures: Mapping[str, Shapes] | None = None, names: bool = True
) -> bytes:
    """The bytes of the `.tflite`; see `export`."""
    require_graph(model)
    layers = bake(quantized_layers(model))
    shapes = {
        name: _shapes(model, given, name) for name, given in (signatures or _one(model)).items()
    }
    plain = _without_wrappers(model)
    numbered = {f"{KERNEL}{number}": name for number, name in enumerate(layers)}
    kernels = {
        number: tf.TensorSpec(plain.get_layer(name).device_shape(), tf.float32, number)
        for number, name in numbered.items()
    }
    if kernels:
        kernels[FENCE] = tf.TensorSpec([], tf.float32, FENCE)
    functions = {
        name: _function(plain, {**given, **kernels}, numbered, layers)
        for name, given in shapes.items()
    }
    made = flatbuffer_of(functions, plain.weights)
    for index in range(len(made.subgraphs)):
        take_kernels(made, index, numbered)
    pack(made, layers, {})
    made.metadata = []  # the converter's own: their buffers may have gone with those of no tensor
    if names:
        name_tensors(made, {layer.name for layer in plain.layers})
    else:
        strip_names(made)
    return serialize(made)


def _one(model: keras.Model) -> dict[str, Shapes]:
    """The signature of a model for which none was given."""
    shapes: dict[str, Shape] = {
        name: [1, *x.shape[1:]] if x.shape[0] is None else list(x.shape)
        for name, x in zip(model.input_names, tf.nest.flatten(model.inputs), strict=True)
    }
    return {SIGNATURE: shapes}


def _shapes(model: keras.Model, given: Shapes, signature: str) -> dict[str, tf.TensorSpec]:
    """What each input of a signature is. Raises as `export` does."""
    inputs = dict(zip(model.input_names, tf.nest.flatten(model.inputs), strict=True))
    if not isinstance(given, Mapping):
        require(
            len(inputs) == 1,
            f"signature {signature}: the model has the inputs {', '.join(inputs)}: give a shape "
            "for each, by name",
        )
        given = dict.fromkeys(inputs, given)
    require(
        given.keys() == inputs.keys(),
        f"signature {signature}: has the inputs {', '.join(given)}, and the model "
        f"{', '.join(inputs)}",
    )
    found = {}
    for name, x in inputs.items():
        own = name == FENCE or name.startswith(KERNEL)
        require(
            name.isidentifier() and not keyword.iskeyword(name) and not own,
            f"input {name}: it cannot have this name in a file: use letters, digits and _, such as "
            "keras.Input(..., name='image')",
        )
        shape = tf.TensorShape(given[name])
        require(
            shape.is_compatible_with(x.shape),
            f"signature {signature}: {name} is {list(shape)}, and the model takes {list(x.shape)}",
        )
        found[name] = tf.TensorSpec(shape, x.dtype, name)
    return found


def _without_wrappers(model: keras.Model) -> keras.Model:
    """The model in plain layers. Their kernels are not the trained ones: they are not read."""

    def plain(layer: keras.layers.Layer) -> keras.layers.Layer:
        inner = unwrapped(layer) if isinstance(layer, QuantizeWrapperV2) else layer
        return inner.__class__.from_config({**inner.get_config(), "name": layer.name})

    made = keras.models.clone_model(model, clone_function=plain)
    for old, new in zip(model.layers, made.layers, strict=True):
        if not isinstance(old, QuantizeWrapperV2):
            new.set_weights(old.get_weights())
        elif old.layer.bias is not None:
            new.bias.assign(old.layer.bias)
    return made


def _function(
    model: keras.Model,
    inputs: Mapping[str, tf.TensorSpec],
    names: Mapping[str, str],
    layers: Mapping[str, BakedLayer],
) -> tf.types.experimental.ConcreteFunction:
    """A function of the model's inputs and its kernels, whose layers are `names`."""

    def run(**given: tf.Tensor) -> dict[str, tf.Tensor]:
        for number, name in names.items():
            layer = model.get_layer(name)
            baked = layers[name]
            static = baked.output is not None
            layer.kernel = DeviceKernel(given[number], given[FENCE], baked.offset, static)
            if isinstance(layer, Recurrence):
                layer.most_unrolled = sys.maxsize
        x = tf.nest.pack_sequence_as(model.input, [given[name] for name in model.input_names])
        outputs = tf.nest.flatten(model(x, training=False))
        return dict(zip(model.output_names, outputs, strict=True))

    return tf.function(run, autograph=False).get_concrete_function(**inputs)
