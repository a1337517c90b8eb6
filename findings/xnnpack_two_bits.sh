#!/usr/bin/env bash
# How fast are products of 2-bit weights? ai-edge-litert 2.3.0, XNNPACK, CPU, x86-64, one thread.
#
# A FULLY_CONNECTED of 250 rows, 512 inputs and 2048 outputs, float input, the same integers (-2 to
# 1) and scales held in 2, 4 and 8 bits: the outputs are the same, to the bit. Seen on a processor
# with AVX-512 VNNI and without AVX-VNNI (AMD Zen 4), as the least CPU time of a call in turn:
#
#   8 bits: 1.29 ms
#   4 bits: 1.33 ms
#   2 bits: 2.93 ms
#
# The library has 2-bit kernels of SSSE3, AVX2 and AVX-VNNI, where 4 and 8 bits also have those of
# AVX-512. Fewer bits to load do not make up for it. With a number of inputs that 4 does not divide
# XNNPACK leaves 2 bits to the built-in kernel, which sums in another order.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ai-edge-litert==2.3.0 numpy==1.26.4
cat >"$folder/bits.py" <<'PYTHON'
import time

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter

TYPES = {8: schema.TensorType.INT8, 4: schema.TensorType.INT4, 2: schema.TensorType.INT2}
ROWS, OUTPUTS, ROUNDS = 250, 2048, 30


def tensor(name, shape, kind, buffer=0, quantization=None):
    made = schema.TensorT()
    made.name, made.shape, made.type = name, np.array(shape, np.int32), kind
    made.buffer, made.quantization = buffer, quantization
    return made


def interpreter(weights, bits):
    outputs, inputs = weights.shape
    each = 8 // bits
    parts = weights.reshape(-1, each).astype(np.uint8) & (2**bits - 1)
    buffer = schema.BufferT()
    buffer.data = np.bitwise_or.reduce(parts << (bits * np.arange(each, dtype=np.uint8)), axis=1)
    scales = schema.QuantizationParametersT()
    scales.scale = np.linspace(0.1, 0.2, outputs, dtype=np.float32)
    scales.zeroPoint = np.zeros(outputs, np.int64)
    options = schema.FullyConnectedOptionsT()
    options.asymmetricQuantizeInputs = True
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, -1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = options
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor(b"x", [ROWS, inputs], schema.TensorType.FLOAT32),
        tensor(b"w", [outputs, inputs], TYPES[bits], 1, scales),
        tensor(b"y", [ROWS, outputs], schema.TensorType.FLOAT32),
    ]
    graph.inputs, graph.outputs, graph.operators = [0], [2], [operator]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 9
    model = schema.ModelT()
    model.version, model.operatorCodes = 3, [code]
    model.buffers, model.subgraphs = [schema.BufferT(), buffer], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    found = Interpreter(model_content=bytes(builder.Output()), num_threads=1)
    found.allocate_tensors()
    return found


def output(run, x):
    run.set_tensor(0, x)
    run.invoke()
    return run.get_tensor(run.get_output_details()[0]["index"])


def milliseconds(run):
    started = time.process_time()
    run.invoke()
    return 1000 * (time.process_time() - started)


rng = np.random.default_rng(0)
x = rng.standard_normal((ROWS, 512)).astype(np.float32)
weights = rng.integers(-2, 2, (OUTPUTS, 512))
runs = {bits: interpreter(weights, bits) for bits in TYPES}
found = {bits: output(run, x) for bits, run in runs.items()}
assert all(np.array_equal(found[bits], found[2]) for bits in TYPES)
taken = [[milliseconds(run) for run in runs.values()] for _ in range(ROUNDS)]
for bits, least in zip(runs, np.min(taken, axis=0)):
    print(f"{bits} bits: {least:.2f} ms")
# 6 inputs: the last bit differs.
few = rng.integers(-2, 2, (OUTPUTS, 6))
two, four = (output(interpreter(few, bits), x[:, :6]) for bits in (2, 4))
assert not np.array_equal(two, four) and np.allclose(two, four, atol=1e-5)
PYTHON
"$folder/venv/bin/python" "$folder/bits.py" 2>/dev/null
