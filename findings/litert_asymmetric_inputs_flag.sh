#!/usr/bin/env bash
# Who obeys FullyConnectedOptions.asymmetric_quantize_inputs? ai-edge-litert 2.3.0, CPU, x86-64.
#
# A FULLY_CONNECTED with float input and integer weights quantizes its input at run time. The flag
# says whether the input gets a zero point. With inputs between 1 and 2 a zero point halves the
# rounding error, so the error tells who used one. Seen, as the largest error of the output:
#
#   weights  inputs   XNNPACK asym / sym     built-in asym / sym
#   8 bits   64       0.1538   0.1538        0.1538   0.3319
#   4 bits   64       0.0120   0.0120        0.0234   0.0234
#   4 bits   63       0.0081   0.0062        0.0081   0.0062
#   2 bits   64       0.0004   0.0004        0.0004   0.0040
#
# XNNPACK gives every input a zero point, whatever the flag says. The built-in kernel of 4-bit
# weights never does where the number of inputs is even, and obeys where it is odd (XNNPACK leaves
# that one to the built-in kernel); those of 8 and 2 bits obey. So the same 4-bit file computes other
# numbers with and without the delegate, and no value of the flag makes them agree.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check ai-edge-litert==2.3.0 numpy==1.26.4
cat >"$folder/flag.py" <<'PYTHON'
import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.interpreter import Interpreter, OpResolverType

TYPES = {8: schema.TensorType.INT8, 4: schema.TensorType.INT4, 2: schema.TensorType.INT2}


def tensor(name, shape, kind, buffer=0, quantization=None):
    made = schema.TensorT()
    made.name, made.shape, made.type = name, np.array(shape, np.int32), kind
    made.buffer, made.quantization = buffer, quantization
    return made


def file(weights, bits, asymmetric):
    outputs, inputs = weights.shape
    each = 8 // bits
    parts = weights.reshape(-1, each).astype(np.uint8) & (2**bits - 1)
    buffer = schema.BufferT()
    buffer.data = np.bitwise_or.reduce(parts << (bits * np.arange(each, dtype=np.uint8)), axis=1)
    scales = schema.QuantizationParametersT()
    scales.scale = np.full(outputs, 0.1, np.float32)
    scales.zeroPoint = np.zeros(outputs, np.int64)
    options = schema.FullyConnectedOptionsT()
    options.asymmetricQuantizeInputs = asymmetric
    operator = schema.OperatorT()
    operator.inputs, operator.outputs = [0, 1, -1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = options
    graph = schema.SubGraphT()
    graph.tensors = [
        tensor(b"x", [1, inputs], schema.TensorType.FLOAT32),
        tensor(b"w", [outputs, inputs], TYPES[bits], 1, scales),
        tensor(b"y", [1, outputs], schema.TensorType.FLOAT32),
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
    return bytes(builder.Output())


def error(bits, inputs, delegate, asymmetric):
    rng = np.random.default_rng(0)
    top = 2 ** (bits - 1) - 1
    weights = rng.integers(-top, top + 1, (4, inputs))
    x = (1 + rng.random((1, inputs))).astype(np.float32)
    resolver = OpResolverType.AUTO
    if not delegate:
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(
        model_content=file(weights, bits, asymmetric), experimental_op_resolver_type=resolver
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(0, x)
    interpreter.invoke()
    y = interpreter.get_tensor(interpreter.get_output_details()[0]["index"])
    return float(np.abs(y - x @ (0.1 * weights).T.astype(np.float32)).max())


def obeys(bits, inputs, delegate):
    return error(bits, inputs, delegate, True) != error(bits, inputs, delegate, False)


found = {
    (bits, inputs, delegate): obeys(bits, inputs, delegate)
    for bits, inputs in ((8, 64), (4, 64), (4, 63), (2, 64))
    for delegate in (True, False)
}
for (bits, inputs, delegate), obeyed in found.items():
    kernel = "XNNPACK" if delegate else "built-in"
    print(f"{bits} bits, {inputs} inputs, {kernel}: {'obeys' if obeyed else 'ignores'} the flag")
expected = {(8, 64, False), (4, 63, True), (4, 63, False), (2, 64, False)}
assert {case for case, obeyed in found.items() if obeyed} == expected
# The built-in 4-bit kernel of even width has the error of no zero point, XNNPACK that of one.
assert error(4, 64, False, True) > 1.5 * error(4, 64, True, True)
PYTHON
"$folder/venv/bin/python" "$folder/flag.py" 2>/dev/null
