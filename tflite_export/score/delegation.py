"""Which operators of a graph does a delegate (XNNPACK) run?

LiteRT keeps the operators of the file in its list and appends one DELEGATE node for each
partition that a delegate took; the list does not say which operators are in a partition. But
the node names the tensors that enter and leave the partition. Whatever produces a tensor
inside is inside, so walking from the tensors that leave back to those that enter meets
exactly the partition's operators.
"""

import copy
import dataclasses

from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.tools import flatbuffer_utils


@dataclasses.dataclass(frozen=True)
class Delegation:
    """What delegates take of one graph.

    Attributes:
        operators: indices, in the graph, of the operators that they run.
        partitions: pieces that the graph was broken into for them.
    """

    operators: frozenset[int]
    partitions: int


def delegation(model: schema.ModelT, graph: schema.SubGraphT) -> Delegation:
    """Ask LiteRT, with its default delegate and one thread, what it delegates of `graph`.

    Args:
        model: a flatbuffer object.
        graph: one of its subgraphs, without control flow. It is loaded alone, since LiteRT
            shows the nodes of the first graph only.

    Raises:
        RuntimeError: LiteRT cannot prepare the graph, for example for a custom operator.
    """
    alone = copy.copy(model)
    alone.subgraphs, alone.signatureDefs, alone.metadata = [graph], [], []
    content = bytes(flatbuffer_utils.convert_object_to_bytearray(alone))
    try:
        interpreter = Interpreter(model_content=content, num_threads=1)
        interpreter.allocate_tensors()
    except ValueError as error:
        raise RuntimeError(str(error)) from None
    nodes = interpreter._get_ops_details()
    own, partitions = nodes[: len(graph.operators)], nodes[len(graph.operators) :]
    producer = {int(tensor): node["index"] for node in own for tensor in node["outputs"]}
    inside: set[int] = set()
    for partition in partitions:
        entering = {int(tensor) for tensor in partition["inputs"]}
        waiting = [int(tensor) for tensor in partition["outputs"]]
        while waiting:
            tensor = waiting.pop()
            index = producer.get(tensor)
            if tensor in entering or index is None or index in inside:
                continue
            inside.add(index)
            waiting += [int(tensor) for tensor in own[index]["inputs"]]
    return Delegation(frozenset(inside), len(partitions))
