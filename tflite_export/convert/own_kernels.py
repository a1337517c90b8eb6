"""A kernel of its own for every product of a graph that was converted with stand-ins.

Products with the same stand-in share a tensor. Each gets its own where the converter would have
put it, and one buffer for all graphs. The converter lists constants in runs, in each of them the
one that is read last first, and buffers in the order of the tensors.
"""

import copy

from ai_edge_litert import schema_py_generated as schema

from tflite_export.convert.labelled import layer_of_product, products
from tflite_export.convert.labels import NO_TENSOR

Kernels = dict[int, schema.TensorT]  # by the id of the operator that reads it


def separate_kernels(model: schema.ModelT) -> None:
    """Name the kernel of each labelled product `LAYER/kernel` and leave it without data, in place.

    Until `tensor_names`, the number of the graph follows after an @: packing needs unique names.
    """
    owned: dict[str, schema.BufferT] = {}  # by layer
    held = {id(t): model.buffers[t.buffer] for graph in model.subgraphs for t in graph.tensors}
    for index, graph in enumerate(model.subgraphs):
        operators = [operator for each, operator in products(model) if each is graph]
        order, kernels = _in_order(graph, operators)
        _number_tensors(model, index, order, kernels)
        for operator in operators:
            name, kernel = layer_of_product(graph, operator), kernels[id(operator)]
            kernel.name = f"{name}/kernel@{index}".encode()
            held[id(kernel)] = owned.setdefault(name, schema.BufferT())
    _number_buffers(model, held)


def _in_order(
    graph: schema.SubGraphT, operators: list[schema.OperatorT]
) -> tuple[list[schema.TensorT], Kernels]:
    """The tensors of a graph, in order, when each of the products has a kernel of its own."""
    numbers = {id(operator): number for number, operator in enumerate(graph.operators)}
    uses: dict[int, int] = {}  # number of the operator that first reads a tensor, by its id
    for operator in graph.operators:
        for tensor in operator.inputs:
            if tensor != NO_TENSOR:
                uses.setdefault(id(graph.tensors[tensor]), numbers[id(operator)])
    order, given = list(graph.tensors), set()
    kernels: Kernels = {}
    for operator in operators:
        kernel = graph.tensors[operator.inputs[1]]
        if id(kernel) in given:
            place = next(i for i, tensor in enumerate(order) if tensor is kernel)
            kernel = copy.copy(kernel)
            use = uses[id(kernel)] = numbers[id(operator)]
            while place > len(graph.inputs) and (
                uses.get(id(order[place]), -1) <= uses.get(id(order[place - 1]), -1) < use
            ):
                place -= 1
            order.insert(place, kernel)
        given.add(id(kernel))
        kernels[id(operator)] = kernel
    return order, kernels


def _number_tensors(
    model: schema.ModelT, index: int, order: list[schema.TensorT], kernels: Kernels
) -> None:
    """List the tensors of graph `index` in `order`, and let products read their kernels."""
    graph = model.subgraphs[index]
    number = {id(tensor): i for i, tensor in enumerate(order)}
    new = {i: number[id(tensor)] for i, tensor in enumerate(graph.tensors)} | {NO_TENSOR: NO_TENSOR}
    for operator in graph.operators:
        operator.inputs = [new[int(i)] for i in operator.inputs]
        operator.outputs = [new[int(i)] for i in operator.outputs]
        if id(operator) in kernels:
            operator.inputs[1] = number[id(kernels[id(operator)])]
    graph.inputs, graph.outputs = ([new[int(i)] for i in e] for e in (graph.inputs, graph.outputs))
    for signature in model.signatureDefs or []:
        if signature.subgraphIndex == index:
            for entry in (*signature.inputs, *signature.outputs):
                entry.tensorIndex = new[entry.tensorIndex]
    graph.tensors = order


def _number_buffers(model: schema.ModelT, held: dict[int, schema.BufferT]) -> None:
    """List the buffers in the order of the tensors; `held`: the buffer of each, by its id.

    Those of no tensor go: stand-ins, and metadata with a fingerprint of what was converted.
    """
    order = {id(model.buffers[0]): model.buffers[0]}  # the empty one
    order |= {id(held[id(t)]): held[id(t)] for graph in model.subgraphs for t in graph.tensors}
    number = {identity: i for i, identity in enumerate(order)}
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            tensor.buffer = number[id(held[id(tensor)])]
    model.buffers, model.metadata = list(order.values()), []
