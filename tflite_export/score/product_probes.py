"""The quantized products of a `.tflite`, each watched while the file runs.

A copy of the file gets the inputs and outputs of its products as further outputs of its
signatures. What LiteRT feeds to a product on the way is fed to the Keras product, and the results
are compared.
"""

import dataclasses
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from tensorflow import keras

from asr_qat.arrays import Array
from asr_qat.errors import require
from asr_qat.quantize.apply import QuantizedLayer
from asr_qat.quantize.grids import Grid
from asr_qat.quantize.products import Function, QuantizedKernel
from tflite_export.convert.labelled import products
from tflite_export.convert.serialize import serialize
from tflite_export.runtime.layer_scopes import layer_of
from tflite_export.runtime.model_file import ModelFile
from tflite_export.score.device.file_product import FileProduct, has_integers
from tflite_export.score.device.watch import PROBE, watch
from tflite_export.score.rows import ProductError

ACTIVATIONS = {
    schema.ActivationFunctionType.NONE: keras.activations.linear,
    schema.ActivationFunctionType.RELU: keras.activations.relu,
    schema.ActivationFunctionType.RELU6: tf.nn.relu6,
    schema.ActivationFunctionType.TANH: keras.activations.tanh,
}


@dataclasses.dataclass(frozen=True)
class _Watched:
    """An operator of the file.

    Attributes:
        layer: whose product it is.
        activation: that is fused into it.
        added: see `added_to_bias`.
        in_file: the product of the file's own integers, None of a kind that is not known.
    """

    layer: str
    activation: Function
    added: float
    in_file: FileProduct | None


class ProductProbes:
    """Compares every quantized product whenever a signature has run.

    Args:
        path: the `.tflite`.
        layers: the quantized layers of its Keras model, by name.
        factors: see `tflite_export.convert.labels.merged_factors`.
        probed: file to write: the copy with further outputs.
    """

    def __init__(
        self,
        path: str | Path,
        layers: Mapping[str, QuantizedLayer],
        factors: Mapping[str, float],
        probed: Path,
    ):
        content = bytearray(ModelFile.read(path).content)
        model = flatbuffer_utils.read_model_from_bytearray(content)
        self._products: dict[str, _Product] = {}
        self._found: dict[str, _Watched] = {}  # by the name of the probe
        unpacked: dict[int, Array] = {}
        for number, (graph, operator) in enumerate(list(products(model))):
            name = _layer(graph, operator)
            if name not in layers and not has_integers(graph, operator):
                continue  # float in both
            require(
                name in layers,
                f"{path}: has a quantized product of {name}, and the model none: give the model "
                "that the file was exported from",
            )
            if name not in self._products:
                layer = layers[name]
                self._products[name] = _Product(name, layer, factors.get(name, 1.0))
            probe = f"{PROBE}{number}"  # a layer may have several products
            added = added_to_bias(model, graph, operator, layers[name], factors.get(name, 1.0))
            in_file = _file_product(model, graph, operator, unpacked)
            self._found[probe] = _Watched(name, graph_activation(operator), added, in_file)
            watch(model, graph, operator, probe)
        probed.write_bytes(serialize(model))

    def check(self, outputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """A signature's outputs without those of its products, which are compared."""
        for probe, watched in self._found.items():
            if f"{probe}/input" in outputs:
                given, got = outputs[f"{probe}/input"], outputs[f"{probe}/output"]
                self._products[watched.layer].check(given, got, watched)
        return {name: value for name, value in outputs.items() if not name.startswith(PROBE)}

    def summary(self) -> list[ProductError]:
        """A row for each product that has run, in graph order."""
        return [product.summary() for product in self._products.values() if product.rows]


class _Product:
    """A labelled operator, in any signature, and the Keras layer of the same name."""

    def __init__(self, name: str, layer: QuantizedLayer, factor: float):
        self.name, self.layer = name, layer
        kernel, self.factor = layer.quantizer(layer.kernel, False, layer.variables), factor
        self.kernel = dataclasses.replace(kernel, active=None)  # as if training were complete
        if isinstance(kernel, QuantizedKernel):
            # The device adds what an offset gives after the product, and merges no factor then.
            grid = Grid(kernel.grid.scale)
            self.kernel = dataclasses.replace(self.kernel, native=True, grid=grid)
            self.factor = factor if kernel.grid.offset is None else 1.0
        self.rows, self.ties, self.error = 0, 0, 0.0
        self.low, self.high = np.inf, -np.inf

    def check(self, given: np.ndarray, got: np.ndarray, watched: _Watched) -> None:
        """Compare LiteRT's output with that of the Keras layer for the same input."""
        x, layer, bias = tf.constant(given), self.layer.layer, self.layer.bias
        if watched.added:
            bias = watched.added if bias is None else bias + watched.added
            bias = tf.broadcast_to(bias, [got.shape[-1]])
        expected = layer.quantized_call(x, self.kernel, bias, watched.activation) * self.factor
        expected = expected.numpy().reshape(got.shape)
        errors = np.abs(expected - got).reshape(-1, got.shape[-1]).max(axis=-1)
        self.rows += len(errors)
        in_file = watched.in_file
        if in_file is not None and not errors.max() <= in_file.most(float(np.ptp(got))):
            # What the file gives for activations that went to the other side of a rounding edge.
            found = in_file.compare(given, got)
            errors = np.where(found.ties, found.errors, errors)
            self.ties += int(found.ties.sum())
        # numpy's keeps a result that is not a number
        self.error = float(np.maximum(self.error, errors.max()))
        self.low, self.high = min(self.low, float(got.min())), max(self.high, float(got.max()))

    def summary(self) -> ProductError:
        """The row of the report."""
        smallest = float(np.finfo(np.float32).tiny)
        return ProductError(
            layer=self.name,
            rows=self.rows,
            ties=self.ties,
            factor=self.factor,
            max_error=self.error / max(self.high - self.low, smallest),
        )


def _layer(graph, operator) -> str:
    """Name of the Keras layer that a product is labelled with."""
    name = graph.tensors[operator.inputs[1]].name or graph.tensors[operator.outputs[0]].name
    return layer_of(name.decode().rpartition("/")[0])


def _file_product(model, graph, operator, unpacked: dict[int, Array]) -> FileProduct | None:
    """The product as the file has it; None of a kind that is not known."""
    try:
        return FileProduct(model, graph, operator, unpacked)
    except NotImplementedError:
        return None


def graph_activation(operator) -> Function:
    """The activation that is fused into a product; a lookup has none."""
    if operator.builtinOptions is None:
        return keras.activations.linear
    return ACTIVATIONS[operator.builtinOptions.fusedActivationFunction]


def added_to_bias(
    model: schema.ModelT, graph, operator, layer: QuantizedLayer, factor: float
) -> float:
    """A number that the converter added to all of a product's bias, such as the 3 of hard sigmoid.

    What is added after a product becomes a part of its bias. 0 if the biases differ otherwise: then
    the products do, too.
    """
    inputs = [int(tensor) for tensor in operator.inputs]
    data = None
    if len(inputs) > 2 and inputs[2] >= 0:
        data = model.buffers[graph.tensors[inputs[2]].buffer].data
    if data is None or graph.tensors[inputs[2]].type != schema.TensorType.FLOAT32:
        return 0.0
    held = np.array(data, np.uint8).view(np.float32)
    own = 0.0 if layer.bias is None else factor * layer.bias.numpy()
    added = held - own
    return float(added[0]) if np.ptp(added) <= 1e-5 * np.abs(held).max() else 0.0
