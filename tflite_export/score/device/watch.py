"""A copy of a file whose products can be watched while a signature runs.

What enters and leaves them becomes further outputs of the signatures. Needs no TensorFlow.
"""

from ai_edge_litert import schema_py_generated as schema

PROBE = "probe_"  # begins the names of the further outputs


def watch(
    model: schema.ModelT, graph: schema.SubGraphT, operator: schema.OperatorT, probe: str
) -> None:
    """Make the input and output of a product outputs of the graph's signature, in place.

    They are the floats before a QUANTIZE and after a DEQUANTIZE, if there are any.

    Args:
        model: a flatbuffer object.
        graph: of the product.
        operator: that computes it.
        probe: their names are `{probe}/input` and `{probe}/output`.
    """
    index = next(i for i, other in enumerate(model.subgraphs) if other is graph)
    (signature,) = [s for s in model.signatureDefs if s.subgraphIndex == index]
    ends = {
        "input": _beyond(model, graph, operator.inputs[0], "QUANTIZE"),
        "output": _beyond(model, graph, operator.outputs[0], "DEQUANTIZE"),
    }
    for side, tensor in ends.items():
        entry = schema.TensorMapT()
        entry.name, entry.tensorIndex = f"{probe}/{side}", tensor
        signature.outputs.append(entry)
        graph.outputs = [*graph.outputs, tensor]


def _beyond(model: schema.ModelT, graph: schema.SubGraphT, tensor: int, conversion: str) -> int:
    """The float tensor on the other side of a conversion of an int8 one; itself without."""
    if graph.tensors[tensor].type != schema.TensorType.INT8:
        return tensor
    wanted = getattr(schema.BuiltinOperator, conversion)
    for operator in graph.operators:
        near, far = operator.inputs[0], operator.outputs[0]
        if conversion == "QUANTIZE":
            near, far = far, near
        if near == tensor and model.operatorCodes[operator.opcodeIndex].builtinCode == wanted:
            is_float = graph.tensors[far].type == schema.TensorType.FLOAT32
            return int(far) if is_float else tensor
    return tensor
