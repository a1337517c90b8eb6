#!/usr/bin/env bash
# Which names survive TFLiteConverter? tensorflow-cpu 2.17.1 with tf-keras 2.17.0 (Keras 2).
#
# Three Dense layers `first`, `second`, `third`; a Rescaling by 0.5, `half`, follows `second`. Seen:
#
#   product   weights              result
#   first     model/first/MatMul   model/first/MatMul;model/first/Relu
#   second    arith.constant1      model/second/MatMul;model/second/BiasAdd;model/half/mul
#   third     arith.constant2      StatefulPartitionedCall:0
#
# Weights never keep the name of their variable, and most are just numbered. The result of a fused
# operation keeps the names of all TensorFlow operations in it, the product first, so that a layer
# can be found by its name. But a product that is an output of the signature has lost them all. And
# a constant factor after a product is gone from the graph: weights and bias of `second` in the file
# are half of the trained ones.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check \
    tensorflow-cpu==2.17.1 tf-keras==2.17.0 numpy==1.26.4
cat >"$folder/names.py" <<'PYTHON'
import os

os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
import numpy as np
import tensorflow as tf
from tensorflow import keras

inputs = keras.Input((8,), batch_size=2)
x = keras.layers.Dense(6, activation="relu", name="first")(inputs)
second = keras.layers.Dense(4, name="second", bias_initializer="ones")
x = keras.layers.Rescaling(0.5, name="half")(second(x))
x = keras.layers.Dense(3, name="third")(keras.layers.Activation("tanh")(x))
model = keras.Model(inputs, x, name="model")
content = tf.lite.TFLiteConverter.from_keras_model(model).convert()
interpreter = tf.lite.Interpreter(model_content=content)
interpreter.allocate_tensors()
names = {tensor["index"]: tensor["name"] for tensor in interpreter.get_tensor_details()}
operators = interpreter._get_ops_details()
products = [op for op in operators if op["op_name"] == "FULLY_CONNECTED"]
for op in products:
    print(f"weights {names[op['inputs'][1]]}, result {names[op['outputs'][0]]}")
weights = [names[op["inputs"][1]] for op in products]
results = [names[op["outputs"][0]] for op in products]
assert not any("kernel" in name for name in weights)
assert weights[1].startswith("arith.constant") and weights[2].startswith("arith.constant")
assert results[0].startswith("model/first/MatMul")
assert results[1].startswith("model/second/MatMul") and "model/half/mul" in results[1]
assert results[2] == "StatefulPartitionedCall:0"
assert "MUL" not in [op["op_name"] for op in operators]
kernel, bias = (interpreter.get_tensor(products[1]["inputs"][i]) for i in (1, 2))
np.testing.assert_array_equal(kernel.T, 0.5 * second.kernel.numpy())
np.testing.assert_array_equal(bias, 0.5 * second.bias.numpy())
print("weights and bias of the second product are half of the trained ones")
PYTHON
"$folder/venv/bin/python" "$folder/names.py" 2>/dev/null
