"""Every quantized product of a `.tflite` against the Keras layer, on the same input.

A copy of the file gets the inputs and outputs of its products as further outputs of its
signatures, and recognises utterances. What LiteRT feeds to a product on the way is fed to the
Keras product, and the results are compared.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils
from tensorflow import keras

from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import QuantizedLayer, quantized_layers
from asr_qat.quantize.grids import Grid
from asr_qat.quantize.products import QuantizedKernel
from tflite_export.convert.labels import merged_factors, products
from tflite_export.runtime.live.live_model import live_model
from tflite_export.runtime.live.whole_recording import recognise_features
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.rows import ProductError

PROBE = "probe_"  # begins the names of the further outputs


def product_errors(
    path: str | Path, recogniser: Recogniser, utterances: Iterable[np.ndarray]
) -> list[ProductError]:
    """Largest difference of each quantized product, as a share of its output's range.

    The converter merges constant factors after a product (the half step of a feed-forward
    module) into its weights; the factor is reported.

    Args:
        path: `.tflite` with one quantized model.
        recogniser: its Keras model, quantized.
        utterances: normalised features `[frames, mel_bins]`; they are recognised, so that the
            prediction and joint networks of a transducer see what they see in use. A live model
            takes them in its steps, in both passes.

    Returns:
        One for each product in graph order.
    """
    model = flatbuffer_utils.read_model(os.fspath(path))
    layers, factors = quantized_layers(recogniser.model), merged_factors(recogniser.model)
    found: dict[str, _Product] = {}
    for graph, operator in products(model):
        name = _layer(graph, operator)
        if name not in layers and not _quantized(graph, operator):
            continue  # float in both
        if name not in found:
            found[name] = _Product(operator, name, layers[name], factors.get(name, 1.0))
        _expose(model, graph, operator, name)
    with tempfile.TemporaryDirectory() as folder:
        probed = Path(folder) / "probed.tflite"
        flatbuffer_utils.write_model(model, os.fspath(probed))
        device = _ProbedRecogniser(probed, found)
    live = live_model(device) if device.live else None
    for features in utterances:
        if live is None:
            device.recognise(features)
        else:
            recognise_features(live, features)
    return [product.summary() for product in found.values()]


def _expose(model: schema.ModelT, graph, operator, name: str) -> None:
    """Make the float input and output of a product outputs of the graph's signature."""
    index = next(i for i, other in enumerate(model.subgraphs) if other is graph)
    (signature,) = [s for s in model.signatureDefs if s.subgraphIndex == index]
    ends = {
        "input": _beyond(model, graph, operator.inputs[0], "QUANTIZE"),
        "output": _beyond(model, graph, operator.outputs[0], "DEQUANTIZE"),
    }
    for side, tensor in ends.items():
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = f"{PROBE}{side}/{name}", tensor
        signature.outputs.append(entry)
        graph.outputs = [*graph.outputs, tensor]


def _beyond(model: schema.ModelT, graph, tensor: int, conversion: str) -> int:
    """The float tensor before the QUANTIZE, or after the DEQUANTIZE, of an int8 one."""
    if graph.tensors[tensor].type != schema.TensorType.INT8:
        return tensor
    wanted = getattr(schema.BuiltinOperator, conversion)
    for operator in graph.operators:
        near, far = operator.inputs[0], operator.outputs[0]
        if conversion == "QUANTIZE":
            near, far = far, near
        if near == tensor and model.operatorCodes[operator.opcodeIndex].builtinCode == wanted:
            return far
    raise ValueError(f"an int8 tensor without {conversion}")


class _ProbedRecogniser(TFLiteRecogniser):
    """Compares every product whenever a signature has run."""

    def __init__(self, path: Path, found: "dict[str, _Product]"):
        super().__init__(path)
        self._products = found

    def call(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        outputs = super().call(signature, **inputs)
        for name, product in self._products.items():
            if f"{PROBE}input/{name}" in outputs:
                product.check(outputs[f"{PROBE}input/{name}"], outputs[f"{PROBE}output/{name}"])
        return {name: value for name, value in outputs.items() if not name.startswith(PROBE)}


class _Product:
    """A labelled operator, in any signature, and the Keras layer of the same name."""

    def __init__(self, operator, name: str, layer: QuantizedLayer, factor: float):
        self.name, self.layer = name, layer
        integers, grid = layer.integers()
        self.kernel = QuantizedKernel(
            integers,
            Grid(grid.scale),  # the device adds what an offset gives after the product
            layer.precision.activation_bits,
            native=True,
            weights=tf.convert_to_tensor(layer.kernel),
            ranges=layer.ranges(),
        )
        self.fused = graph_activation(operator)
        self.factor = factor if grid.offset is None else 1.0  # as in `merged_factors`
        self.rows, self.error = 0, 0.0
        self.low, self.high = np.inf, -np.inf

    def check(self, given: np.ndarray, got: np.ndarray) -> None:
        """Compare LiteRT's output with that of the Keras layer for the same input."""
        x, layer = tf.constant(given), self.layer.layer
        expected = layer.quantized_call(x, self.kernel, self.layer.bias, self.fused) * self.factor
        expected = expected.numpy().reshape(got.shape)
        self.rows += got.size // got.shape[-1]
        self.error = max(self.error, float(np.abs(expected - got).max()))
        self.low, self.high = min(self.low, float(got.min())), max(self.high, float(got.max()))

    def summary(self) -> ProductError:
        """The row of the report."""
        smallest = float(np.finfo(np.float32).tiny)
        return ProductError(
            layer=self.name,
            rows=self.rows,
            factor=self.factor,
            max_error=self.error / max(self.high - self.low, smallest),
        )


def _layer(graph, operator) -> str:
    """Name of the Keras layer that a product is labelled with."""
    name = graph.tensors[operator.inputs[1]].name or graph.tensors[operator.outputs[0]].name
    return name.decode().split("/")[0]


def _quantized(graph, operator) -> bool:
    """Whether the weights are integers; for float activations they pass a DEQUANTIZE."""
    weights = operator.inputs[1]
    for other in graph.operators:
        if weights in other.outputs:
            (weights,) = other.inputs
    return graph.tensors[weights].type != schema.TensorType.FLOAT32


def graph_activation(operator):
    """The activation that is fused into a product."""
    fused = operator.builtinOptions.fusedActivationFunction
    return {0: keras.activations.linear, 1: keras.activations.relu}[fused]
