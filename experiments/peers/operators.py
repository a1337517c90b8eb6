"""What each operator of a `.tflite` takes, alone in a file of its own, one thread.

`python -m experiments.peers.operators FILE` prints a JSON list of `operator`, `count`, `ms`.
LiteRT's wheel has no profiler that sees into XNNPACK. Operators of the same kind and shapes are
timed once. In the whole graph they share caches, and XNNPACK merges neighbours: the sum is not its
time.
"""

import copy
import json
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

LEAST_SECONDS, LEAST_RUNS = 0.03, 5  # of the timing of an operator
OPERATORS = {value: name for name, value in vars(schema.BuiltinOperator).items() if name[0] != "_"}
TYPES = {value: name.lower() for name, value in vars(schema.TensorType).items() if name[0] != "_"}
ANY_INTEGER = 1  # of an input that is no float


def main() -> None:
    """Print what the operators of a file take."""
    print(json.dumps(operator_times(Path(sys.argv[1]).read_bytes())))


def operator_times(content: bytes) -> list[dict[str, object]]:
    """Rows of the operators of the first signature's graph, the slowest first."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    same = Counter(_kind(model, graph, op) for op in graph.operators)
    first = {_kind(model, graph, op): op for op in reversed(graph.operators)}
    counts: Counter[str] = Counter()
    taken: dict[str, float] = defaultdict(float)
    for kind, count in same.items():
        op = first[kind]
        name = _name(model, graph, op)
        counts[name] += count
        taken[name] += count * _milliseconds(alone(model, graph, op))
    return [
        {"operator": name, "count": counts[name], "ms": ms}
        for name, ms in sorted(taken.items(), key=lambda item: -item[1])
    ]


def alone(model: schema.ModelT, graph: schema.SubGraphT, op: schema.OperatorT) -> bytes:
    """A file with one operator, whose constants are those of the model."""
    made, own = schema.ModelT(), schema.SubGraphT()
    made.version, made.operatorCodes = model.version, [model.operatorCodes[op.opcodeIndex]]
    made.buffers, made.subgraphs, own.tensors = [schema.BufferT()], [own], []
    place: dict[int, int] = {}
    for index in _tensors(op):
        if index in place or index < 0:
            continue
        tensor = copy.copy(graph.tensors[index])
        buffer = model.buffers[tensor.buffer]
        tensor.buffer = 0
        if buffer.data is not None:
            tensor.buffer = len(made.buffers)
            made.buffers.append(buffer)
        place[index] = len(own.tensors)
        own.tensors.append(tensor)
    single = copy.copy(op)
    single.opcodeIndex = 0
    single.inputs = [place.get(index, -1) for index in op.inputs]
    single.outputs = [place[index] for index in op.outputs]
    own.operators = [single]
    own.inputs = [place[i] for i in op.inputs if i >= 0 and own.tensors[place[i]].buffer == 0]
    own.outputs = single.outputs
    builder = flatbuffers.Builder(1024)
    builder.Finish(made.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def _milliseconds(content: bytes) -> float:
    """CPU time of one run, median."""
    interpreter = Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    rng = np.random.default_rng(0)
    for detail in interpreter.get_input_details():
        values = np.full(detail["shape"], ANY_INTEGER, detail["dtype"])
        if detail["dtype"] == np.float32:
            values = rng.standard_normal(detail["shape"]).astype(np.float32)
        interpreter.set_tensor(detail["index"], values)
    interpreter.invoke()
    taken: list[float] = []
    while len(taken) < LEAST_RUNS or sum(taken) < LEAST_SECONDS:
        started = time.perf_counter()
        interpreter.invoke()
        taken.append(time.perf_counter() - started)
    return 1000 * float(np.median(taken))


def _tensors(op: schema.OperatorT) -> Iterator[int]:
    yield from (int(index) for index in op.inputs)
    yield from (int(index) for index in op.outputs)


def _kind(
    model: schema.ModelT, graph: schema.SubGraphT, op: schema.OperatorT
) -> tuple[object, ...]:
    """What two operators have in common that take the same time."""
    tensors = [graph.tensors[index] for index in _tensors(op) if index >= 0]
    shapes = tuple((_shape(t), t.type, _constant(model, t)) for t in tensors)
    options = tuple(sorted(vars(op.builtinOptions).items())) if op.builtinOptions else ()
    return op.opcodeIndex, str(options), shapes


def _name(model: schema.ModelT, graph: schema.SubGraphT, op: schema.OperatorT) -> str:
    """The operator, with the type of its weights if it has any."""
    code = model.operatorCodes[op.opcodeIndex]
    name = OPERATORS[max(code.builtinCode, code.deprecatedBuiltinCode)]
    inputs = [graph.tensors[index] for index in op.inputs if index >= 0]
    weights = [t for t in inputs if _constant(model, t) and len(_shape(t)) > 1]
    return f"{name} {TYPES[weights[0].type]}" if weights else name


def _shape(tensor: schema.TensorT) -> tuple[int, ...]:
    return () if tensor.shape is None else tuple(int(size) for size in tensor.shape)


def _constant(model: schema.ModelT, tensor: schema.TensorT) -> bool:
    return model.buffers[tensor.buffer].data is not None


if __name__ == "__main__":
    main()
