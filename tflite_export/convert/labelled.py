"""The products of a flatbuffer that carry the name of a layer. Needs no TensorFlow."""

import re
from collections.abc import Collection, Iterator

from ai_edge_litert import schema_py_generated as schema

from tflite_export.runtime.layer_scopes import layer_of

MULTIPLICATIONS = (schema.BuiltinOperator.FULLY_CONNECTED, schema.BuiltinOperator.CONV_2D)
DEPTHWISE = schema.BuiltinOperator.DEPTHWISE_CONV_2D
OPERATORS = (*MULTIPLICATIONS, DEPTHWISE, schema.BuiltinOperator.EMBEDDING_LOOKUP)
_LABEL = re.compile(r"(.+)/product(@\d+)?")


def products(model: schema.ModelT) -> Iterator[tuple[schema.SubGraphT, schema.OperatorT]]:
    """Every labelled product: (subgraph, operator)."""
    for graph, operator in operators_of(model, OPERATORS):
        if _LABEL.fullmatch(output_name(graph, operator)):
            yield graph, operator


def operators_of(
    model: schema.ModelT, kinds: Collection[int]
) -> Iterator[tuple[schema.SubGraphT, schema.OperatorT]]:
    """Every operator of some kinds: (subgraph, operator)."""
    for graph in model.subgraphs:
        for operator in graph.operators:
            if model.operatorCodes[operator.opcodeIndex].builtinCode in kinds:
                yield graph, operator


def output_name(graph: schema.SubGraphT, operator: schema.OperatorT) -> str:
    """Name of the tensor that an operator writes; empty without."""
    return (graph.tensors[operator.outputs[0]].name or b"").decode()


def layer_of_product(graph: schema.SubGraphT, operator: schema.OperatorT) -> str:
    """The layer that a product is labelled with."""
    return layer_of(output_name(graph, operator).partition("/product")[0])
