#!/usr/bin/env bash
# What does TensorFlow's converter make of (x + b) @ w + c, if w is an input of the graph?
#
# tensorflow 2.17.1. It moves the addition behind the product: x @ w + (b @ w + c), two
# FULLY_CONNECTED in place of one, and the second is computed anew in every run:
#
#   (x + b) @ w + c, w a constant:            1 FULLY_CONNECTED
#   (x + b) @ w + c, w an input:              2 FULLY_CONNECTED, no ADD
#   (x + b) * one @ w + c, w and one inputs:  1 FULLY_CONNECTED, behind ADD and MUL
#   (x + b) @ w, w an input, without c:       1 FULLY_CONNECTED, behind ADD
#
# In floats that is the same. But who makes w an input to put other weights there afterwards, with
# activations that are quantized at run time, gets a product of another tensor than in training:
# the range of x is not that of x + b. A factor that the converter does not know keeps it away.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    tensorflow==2.17.1 ai-edge-litert==2.3.0 numpy==1.26.4
cat >"$folder/moves.py" <<'PYTHON'
import numpy as np
import tensorflow as tf
from ai_edge_litert import schema_py_generated as schema
from ai_edge_litert.tools import flatbuffer_utils

b = np.arange(1, 9, dtype=np.float32)
c = np.arange(1, 5, dtype=np.float32)
constant = tf.constant(np.random.default_rng(0).normal(size=(4, 8)), tf.float32)
x = tf.TensorSpec([5, 8], tf.float32)
w = tf.TensorSpec([4, 8], tf.float32)
one = tf.TensorSpec([], tf.float32)
functions = {
    "constant": (lambda x: c + tf.matmul(x + b, constant, transpose_b=True), [x]),
    "input": (lambda x, w: c + tf.matmul(x + b, w, transpose_b=True), [x, w]),
    "factor": (
        lambda x, w, one: c + tf.matmul((x + b) * one, w, transpose_b=True),
        [x, w, one],
    ),
    "no c": (lambda x, w: tf.matmul(x + b, w, transpose_b=True), [x, w]),
}
found = {}
for name, (function, specs) in functions.items():
    concrete = tf.function(function, input_signature=specs).get_concrete_function()
    content = tf.lite.TFLiteConverter.from_concrete_functions([concrete]).convert()
    model = flatbuffer_utils.read_model_from_bytearray(bytearray(content))
    codes = [model.operatorCodes[o.opcodeIndex].builtinCode for o in model.subgraphs[0].operators]
    found[name] = codes.count(schema.BuiltinOperator.FULLY_CONNECTED)
    print(f"{name}: {found[name]} FULLY_CONNECTED of {len(codes)} operators")
assert found == {"constant": 1, "input": 2, "factor": 1, "no c": 1}
PYTHON
TF_CPP_MIN_LOG_LEVEL=3 "$folder/venv/bin/python" "$folder/moves.py" 2>/dev/null
