"""Every quantized product of a `.tflite` against the Keras layer, on the same input.

A copy of the file gets the inputs and outputs of its products as further outputs of its
signatures, and recognises utterances. What LiteRT feeds to a product on the way is fed to the
Keras product, and the results are compared.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import QuantizedLayer, quantized_layers
from asr_qat.quantize.numerics import quantize_channels
from asr_qat.quantize.products import native_product
from tflite_export.labels import products
from tflite_export.recogniser import TFLiteRecogniser

PROBE = "probe_"  # begins the names of the further outputs


def product_errors(
    path: str | Path, recogniser: Recogniser, utterances: Iterable[np.ndarray]
) -> list[dict[str, Any]]:
    """Largest difference of each quantized product, as a share of its output's range.

    The converter merges constant factors behind a product (the half step of a feed-forward
    module) into its weights; the factor is read from the two scales and reported.

    Args:
        path: `.tflite` with one quantized model.
        recogniser: its Keras model, quantized.
        utterances: normalised features `[frames, mel_bins]`; they are recognised, so that the
            prediction and joint networks of a transducer see what they see in use.

    Returns:
        For each product in graph order: `layer`, `rows` compared, `factor`, `max_error`.
    """
    model = flatbuffer_utils.read_model(os.fspath(path))
    layers = quantized_layers(recogniser.model)
    found: dict[str, _Product] = {}
    for graph, operator in products(model):
        name = _layer(graph, operator)
        if name not in layers and _scales(graph, operator) is None:
            continue  # float in both
        if name not in found:
            found[name] = _Product(graph, operator, name, layers[name])
        _expose(model, graph, operator, name)
    with tempfile.TemporaryDirectory() as folder:
        probed = Path(folder) / "probed.tflite"
        flatbuffer_utils.write_model(model, os.fspath(probed))
        device = _ProbedRecogniser(probed, found)
    for features in utterances:
        device.recognise(features)
    return [product.summary() for product in found.values()]


def _expose(model: schema.ModelT, graph, operator, name: str) -> None:
    """Make the input and the output of a product outputs of the graph's signature."""
    index = next(i for i, other in enumerate(model.subgraphs) if other is graph)
    (signature,) = [s for s in model.signatureDefs if s.subgraphIndex == index]
    for side, tensor in (("input", operator.inputs[0]), ("output", operator.outputs[0])):
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = f"{PROBE}{side}/{name}", tensor
        signature.outputs.append(entry)
        graph.outputs = [*graph.outputs, tensor]


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
    """A FULLY_CONNECTED operator, in any signature, and the Keras layer of the same name."""

    def __init__(self, graph, operator, name: str, layer: QuantizedLayer):
        self.layer = name
        self.integers, self.scale = quantize_channels(layer.kernel, layer.quantizer.weight_bits)
        self.activation_bits = layer.quantizer.activation_bits
        self.bias = layer.bias
        self.fused = graph_activation(operator)
        scales = _scales(graph, operator)
        self.factor = 1.0 if scales is None else float(np.median(scales / self.scale.numpy()))
        self.rows, self.error = 0, 0.0
        self.low, self.high = np.inf, -np.inf

    def check(self, given: np.ndarray, got: np.ndarray) -> None:
        """Compare LiteRT's output with that of the Keras layer for the same input."""
        got = got.reshape(-1, self.scale.shape[0])
        rows = tf.constant(given.reshape(-1, given.shape[-1]))
        expected = native_product(rows, self.integers, self.scale, self.activation_bits)
        if self.bias is not None:
            expected += self.bias
        expected = self.fused(expected * self.factor).numpy()
        self.rows += len(got)
        self.error = max(self.error, float(np.abs(expected - got).max()))
        self.low, self.high = min(self.low, float(got.min())), max(self.high, float(got.max()))

    def summary(self) -> dict[str, Any]:
        """The row of the report."""
        return {
            "layer": self.layer,
            "rows": self.rows,
            "factor": self.factor,
            "max_error": self.error / max(self.high - self.low, float(np.finfo(np.float32).tiny)),
        }


def _layer(graph, operator) -> str:
    """Name of the Keras layer that a product is labelled with."""
    name = graph.tensors[operator.inputs[1]].name or graph.tensors[operator.outputs[0]].name
    return name.decode().split("/")[0]


def _scales(graph, operator) -> np.ndarray | None:
    """Scales of a product's weights; with float activations they pass a DEQUANTIZE first."""
    weights = operator.inputs[1]
    for other in graph.operators:
        if weights in other.outputs:
            (weights,) = other.inputs
    quantization = graph.tensors[weights].quantization
    return None if quantization is None else np.asarray(quantization.scale)


def graph_activation(operator):
    """The activation that is fused into a FULLY_CONNECTED operator."""
    fused = operator.builtinOptions.fusedActivationFunction
    return {0: tf.identity, 1: tf.nn.relu}[fused]
