"""Every quantized product of a `.tflite` against the Keras layer, on the same input.

A copy of the file gets the inputs and outputs of its products as further outputs of the
graph; what LiteRT feeds to a product is fed to the Keras product, and the results compared.
"""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import QuantizedLayer, quantized_layers
from asr_qat.quantize.numerics import quantize_channels
from asr_qat.quantize.products import native_product
from tflite_export.labels import products


def product_errors(
    path: str | Path, recogniser: Recogniser, utterances: Iterable[np.ndarray]
) -> list[dict[str, Any]]:
    """Largest difference of each quantized product, as a share of its output's range.

    The converter merges constant factors behind a product (the half step of a feed-forward
    module) into its weights; the factor is read from the two scales and reported.

    Args:
        path: `.tflite` with one quantized model.
        recogniser: its Keras model, quantized.
        utterances: normalised features `[frames, mel_bins]`, none longer than the longest
            signature.

    Returns:
        For each product in graph order: `layer`, `rows` compared, `factor`, `max_error`.
    """
    model = flatbuffer_utils.read_model(os.fspath(path))
    graph = max(model.subgraphs, key=lambda g: max(g.tensors[i].shape[-2] for i in _features(g)))
    model.subgraphs = [graph]
    model.signatureDefs = []
    layers = quantized_layers(recogniser.model)
    found = [
        _Product(graph, operator, layers)
        for g, operator in products(model)
        if g is graph and (_layer(g, operator) in layers or _scales(g, operator) is not None)
    ]
    for product in found:
        graph.outputs = [*graph.outputs, product.input, product.output]
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder) / "probe.tflite"
        flatbuffer_utils.write_model(model, os.fspath(probe))
        interpreter = Interpreter(os.fspath(probe), num_threads=1)
    interpreter.allocate_tensors()
    for features in utterances:
        _feed(interpreter, features)
        interpreter.invoke()
        for product in found:
            product.check(interpreter)
    return [product.summary() for product in found]


def _features(graph) -> list[int]:
    return [i for i in graph.inputs if len(graph.tensors[i].shape) == 3]


def _feed(interpreter: Interpreter, features: np.ndarray) -> None:
    for detail in interpreter.get_input_details():
        value = np.zeros(detail["shape"], detail["dtype"])
        if value.ndim == 3:
            value[0, : len(features)] = features
        else:
            value[:] = len(features)
        interpreter.set_tensor(detail["index"], value)


class _Product:
    """One FULLY_CONNECTED operator and the Keras layer of the same name."""

    def __init__(self, graph, operator, layers: dict[str, QuantizedLayer]):
        self.input, self.output = operator.inputs[0], operator.outputs[0]
        self.layer = _layer(graph, operator)
        layer = layers[self.layer]
        self.integers, self.scale = quantize_channels(layer.kernel, layer.quantizer.weight_bits)
        self.activation_bits = layer.quantizer.activation_bits
        self.bias = layer.bias
        self.fused = graph_activation(operator)
        scales = _scales(graph, operator)
        self.factor = 1.0 if scales is None else float(np.median(scales / self.scale.numpy()))
        self.rows, self.error, self.low, self.high = 0, 0.0, np.inf, -np.inf

    def check(self, interpreter: Interpreter) -> None:
        """Compare on the input of the last invocation."""
        given = interpreter.get_tensor(self.input)
        got = interpreter.get_tensor(self.output).reshape(-1, self.scale.shape[0])
        rows = tf.constant(given.reshape(-1, given.shape[-1]))
        expected = native_product(rows, self.integers, self.scale, self.activation_bits)
        if self.bias is not None:
            expected += self.bias
        expected = self.fused(expected * self.factor).numpy()
        self.rows += len(got)
        self.error = max(self.error, float(np.abs(expected - got).max()))
        self.low, self.high = min(self.low, got.min()), max(self.high, got.max())

    def summary(self) -> dict[str, Any]:
        """The row of the report."""
        return {
            "layer": self.layer,
            "rows": self.rows,
            "factor": self.factor,
            "max_error": float(self.error / (self.high - self.low)),
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
