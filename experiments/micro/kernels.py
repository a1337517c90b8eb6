"""Which operators compute something else in TFLM than in LiteRT, of the same integers."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat.arrays import Array
from experiments.micro.rows import KernelRow
from experiments.micro.tflm import AMPLE, runtime
from tflite_export.silence import silence

NAMES = {code: name for name, code in vars(schema.BuiltinOperator).items()}


def differing_kernels(content: bytes, inputs: Sequence[dict[str, Array]]) -> tuple[KernelRow, ...]:
    """Kinds of operators whose results differ although what they read is equal.

    LiteRT computes without XNNPACK, whose operators cannot be looked into.

    Args:
        content: of a file with one signature.
        inputs: of the signature by name, of several runs.
    """
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    (graph,) = model.subgraphs
    (signature,) = model.signatureDefs
    places = {each.name.decode(): each.tensorIndex for each in signature.inputs}
    with silence():
        litert = Interpreter(
            model_content=content,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
            experimental_preserve_all_tensors=True,
        )
        litert.allocate_tensors()
        tflm = runtime().Interpreter.from_bytes(
            content,
            arena_size=AMPLE,
            intrepreter_config=runtime().InterpreterConfig.kPreserveAllTensors,
        )
    differ: dict[str, set[int]] = {}
    largest: Counter[str] = Counter()
    for given in inputs:
        for name, values in given.items():
            litert.set_tensor(places[name], values)
            tflm.set_input(values, list(graph.inputs).index(places[name]))
        litert.invoke()
        tflm.invoke()
        steps = _steps(graph, litert, tflm)
        for number, operator in enumerate(graph.operators):
            own = max(steps[int(tensor)] for tensor in operator.outputs)
            if own and not any(steps.get(int(tensor), 0) for tensor in operator.inputs):
                kind = NAMES[model.operatorCodes[operator.opcodeIndex].builtinCode]
                differ.setdefault(kind, set()).add(number)
                largest[kind] = max(largest[kind], own)
    kinds = Counter(
        NAMES[model.operatorCodes[operator.opcodeIndex].builtinCode] for operator in graph.operators
    )
    return tuple(
        KernelRow(operator=kind, count=kinds[kind], differ=len(found), most_steps=largest[kind])
        for kind, found in sorted(differ.items())
    )


def _steps(graph: schema.SubGraphT, litert: Interpreter, tflm) -> dict[int, int]:
    """How far each result is from the other runtime's, in steps of its integers, by tensor."""
    found = {}
    for operator in graph.operators:
        for tensor in map(int, operator.outputs):
            one, other = litert.get_tensor(tensor), tflm.GetTensor(tensor, 0)["tensor_data"]
            apart = one.astype(np.int64).reshape(-1) - other.astype(np.int64).reshape(-1)
            found[tensor] = int(np.abs(apart).max(initial=0))
    return found
