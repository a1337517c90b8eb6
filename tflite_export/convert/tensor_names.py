"""Names of the tensors in a file.

LiteRT needs none but those of products, by which the layers are found again. Other software reads
a name of every tensor: OpenVINO and tf2onnx stop at the first without one, and the quantizer's
command wants each name once in the whole file. So every tensor has one. In the first signature the
result of an operator is called by its layer, `block_03/ffn1_norm/2`, which Model Explorer shows as
boxes in boxes, and a constant by the layer that reads it; in the other signatures all have a number
to the base of 36. A product is `LAYER/product` and its kernel `LAYER/kernel`, with an @ and the
signature's number from the second on.
"""

import itertools
from collections import defaultdict
from collections.abc import Collection, Iterator

import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tflite_export.runtime.layer_scopes import scope_of

LABELS = (b"kernel", b"product")
DIGITS = 36


def strip_names(model: schema.ModelT) -> None:
    """Empty the names of all tensors that neither a signature nor a product needs, in place."""
    for graph in model.subgraphs:
        interface = {*graph.inputs, *graph.outputs}
        for index, tensor in enumerate(graph.tensors):
            label = _label(tensor)
            if label is not None:
                tensor.name = b"/".join(label)
            elif index not in interface:
                tensor.name = None


def name_tensors(model: schema.ModelT, layers: Collection[str]) -> None:
    """Give every tensor a short name that no other one in the file has, in place.

    Args:
        model: its tensors have the converter's names, paths of operations; its products are
            labelled.
        layers: names of the Keras model's layers, which are looked for in those paths.
    """
    counters: dict[str, Iterator[int]] = defaultdict(itertools.count)
    for number, graph in enumerate(model.subgraphs):
        scopes = _scopes(graph, layers) if number == 0 else {}
        interface = {*graph.inputs, *graph.outputs}
        for index, tensor in enumerate(graph.tensors):
            label = _label(tensor)
            if label is not None:
                layer, part = (each.decode() for each in label)
                name = f"{scope_of(layer)}/{part}{f'@{number}' if number else ''}"
            elif index in interface:
                continue
            else:
                scope = scopes.get(index, "")
                name = scope + np.base_repr(next(counters[scope]), DIGITS).lower()
            tensor.name = name.encode()


def _label(tensor: schema.TensorT) -> tuple[bytes, bytes] | None:
    """Layer and part of a labelled product, `LAYER/PART@SIGNATURE`."""
    name, _, number = (tensor.name or b"").partition(b"@")
    layer, _, part = name.rpartition(b"/")
    return (layer, part) if number and part in LABELS else None


def _scopes(graph: schema.SubGraphT, layers: Collection[str]) -> dict[int, str]:
    """What the names of results begin with, `block_03/ffn1_norm/`, by tensor.

    What came in after the conversion has no path, and the scope of what it reads; a constant has
    that of the operator that reads it first.
    """
    found: dict[int, str] = {}
    for operator in graph.operators:  # in the order of execution
        read = [found[int(index)] for index in operator.inputs if int(index) in found]
        for index in map(int, operator.outputs):
            path = (graph.tensors[index].name or b"").decode().partition("@")[0]
            named = [part for part in path.replace(";", "/").split("/") if part in layers]
            if named or read:
                found[index] = f"{scope_of(named[0])}/" if named else read[0]
    for operator in graph.operators:
        scope = found.get(int(operator.outputs[0]))
        for index in map(int, operator.inputs):
            if scope is not None and index not in found:
                found[index] = scope
    return found
