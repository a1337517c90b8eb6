#!/usr/bin/env bash
# Whose weights does a weight cache hold? ai-edge-litert 2.3.0, CompiledModel, CPU, x86-64.
#
# CpuOptions(xnnpack_weight_cache_path=FILE) keeps the packed weights of a model in a file, which
# the next process maps instead of packing them again. The option wants the path of a file that is
# made if it is missing, though its documentation says directory.
#
# The cache knows shapes, not values: it is written for one model, and a second model of the same
# shapes with other weights, opened with the same path, computes with the weights of the first one.
# Nothing warns. Seen, for a product of 64 inputs with weights that are all 1, then all 2, on an
# input of ones: 64 and 128 without a cache; 64 and 64 with one cache for both; 64 and 128 with a
# cache for each. A cache has to be named by the checksum of its model.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ai-edge-litert==2.3.0 numpy==1.26.4
cat >"$folder/cache.py" <<'PYTHON'
import sys
from pathlib import Path

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.compiled_model import CompiledModel, CpuOptions, Options

INPUTS, OUTPUTS = 64, 8


def tensor(name, shape, buffer=0):
    made = schema.TensorT()
    made.name, made.shape = name, np.array(shape, np.int32)
    made.type, made.buffer = schema.TensorType.FLOAT32, buffer
    return made


def file(value):
    """y = x @ weights, all weights the same value."""
    buffer = schema.BufferT()
    buffer.data = np.full((OUTPUTS, INPUTS), value, np.float32).reshape(-1).view(np.uint8)
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, -1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    graph = schema.SubGraphT()
    graph.tensors = [tensor(b"x", [1, INPUTS]), tensor(b"w", [OUTPUTS, INPUTS], 1)]
    graph.tensors.append(tensor(b"y", [1, OUTPUTS]))
    graph.inputs, graph.outputs, graph.operators = [0], [2], [operator]
    code = schema.OperatorCodeT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 1
    model = schema.ModelT()
    model.version, model.operatorCodes = 3, [code]
    model.buffers, model.subgraphs = [schema.BufferT(), buffer], [graph]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


def run(folder, value, cache):
    path = folder / f"{value}.tflite"
    path.write_bytes(file(value))
    cpu = CpuOptions(xnnpack_weight_cache_path=str(folder / cache)) if cache else None
    model = CompiledModel.from_file(str(path), options=Options(cpu_options=cpu))
    inputs, outputs = model.create_input_buffers(0), model.create_output_buffers(0)
    inputs[0].write(np.ones((1, INPUTS), np.float32))
    model.run_by_index(0, inputs, outputs)
    return float(outputs[0].read(OUTPUTS, np.float32)[0])


folder = Path(sys.argv[1])
without = [run(folder, value, None) for value in (1, 2)]
shared = [run(folder, value, "shared.cache") for value in (1, 2)]
own = [run(folder, value, f"{value}.cache") for value in (1, 2)]
print("without a cache", without, "one cache", shared, "a cache each", own)
assert without == own == [64.0, 128.0]
assert shared == [64.0, 64.0]
PYTHON
"$folder/venv/bin/python" "$folder/cache.py" "$folder" 2>/dev/null
