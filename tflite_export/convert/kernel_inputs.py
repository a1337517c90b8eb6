"""Kernels that were inputs of a converted graph become constants, and their readers products."""

from collections.abc import Mapping

from ai_edge_litert import schema_py_generated as schema

from asr_qat.errors import UserError
from tflite_export.convert.labelled import OPERATORS
from tflite_export.convert.pack import code_index

FENCE = "fence"  # see `asr_qat.quantize.device_kernel`
KERNEL = "kernel_"  # begins the names of inputs that kernels take the place of
LOOKUP_VERSION = 4  # the first one with integers of 4 bits and a scale for each row
LAYOUTS = (schema.BuiltinOperator.TRANSPOSE, schema.BuiltinOperator.RESHAPE)


def take_kernels(model: schema.ModelT, index: int, names: Mapping[str, str]) -> None:
    """Make constants of the kernels, which are inputs of graph `index`, and label their products.

    What only changes a kernel's layout goes: the device has it in its own. So does the fence.

    Args:
        model: changed in place; the constants are still empty.
        index: of the graph.
        names: layers by the name of the input.

    Raises:
        UserError: a recurrence over a number of steps that is not fixed.
        ValueError: something else than a product reads a kernel.
    """
    graph = model.subgraphs[index]
    (signature,) = [each for each in model.signatureDefs if each.subgraphIndex == index]
    inputs = {each.tensorIndex: each.name.decode() for each in signature.inputs}
    kernels = {tensor: names[name] for tensor, name in inputs.items() if name in names}
    fences = {tensor for tensor, name in inputs.items() if name == FENCE}
    gone = kernels.keys() | fences
    graph.inputs = [tensor for tensor in graph.inputs if tensor not in gone]
    signature.inputs = [each for each in signature.inputs if each.tensorIndex not in gone]
    kept = []
    before: dict[int, int] = {}  # the fence, by the tensor behind it
    for operator in graph.operators:  # in the order of their execution
        read = [before.get(int(tensor), int(tensor)) for tensor in operator.inputs]
        operator.inputs = read
        if fences & set(read) and _code(model, operator) == schema.BuiltinOperator.MUL:
            (before[int(operator.outputs[0])],) = set(read) - fences
            continue
        found = [tensor for tensor in read if tensor in kernels]
        if found and _code(model, operator) in LAYOUTS:
            kernels[int(operator.outputs[0])] = kernels[found[0]]
            continue
        kept.append(operator)
        if found:
            _label(model, graph, operator, found[0], f"{kernels[found[0]]}/product@{index}")
    graph.operators = kept
    graph.outputs = [before.get(int(tensor), int(tensor)) for tensor in graph.outputs]
    for each in signature.outputs:
        each.tensorIndex = before.get(int(each.tensorIndex), int(each.tensorIndex))


def _label(model: schema.ModelT, graph, operator, kernel: int, label: str) -> None:
    """Name the output of a product that reads a kernel."""
    code, read = _code(model, operator), list(operator.inputs)
    if code == schema.BuiltinOperator.GATHER and read[0] == kernel:
        _make_lookup(model, operator)
    elif code == schema.BuiltinOperator.WHILE:
        raise UserError(
            f"{label.partition('/')[0]}: a recurrence is exported with a fixed number of steps: "
            "give the length in the shape of the signature"
        )
    elif code not in OPERATORS or read[1] != kernel:
        raise ValueError(f"{label}: its kernel is read by operator {code}")
    graph.tensors[operator.outputs[0]].name = label.encode()


def _make_lookup(model: schema.ModelT, operator) -> None:
    """A GATHER of rows as an EMBEDDING_LOOKUP, which knows a scale for each row."""
    number = schema.BuiltinOperator.EMBEDDING_LOOKUP
    operator.opcodeIndex = code_index(model, number, LOOKUP_VERSION)
    table, ids = operator.inputs
    operator.inputs = [ids, table]
    operator.builtinOptions = None
    operator.builtinOptionsType = schema.BuiltinOptions.NONE


def _code(model: schema.ModelT, operator) -> int:
    return model.operatorCodes[operator.opcodeIndex].builtinCode
