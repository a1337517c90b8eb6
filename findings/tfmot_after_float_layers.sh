#!/usr/bin/env bash
# What of a small transformer does tfmot's 8-bit training reach? tensorflow-model-optimization 0.8.1,
# TensorFlow 2.17.1, tf-keras 2.17.0.
#
# 1. `quantize_model` and `quantize_apply` put a quantizer on every input of a model. One of
#    integers, as an Embedding takes, raises TypeError, although tfmot's registry has Embedding.
# 2. LayerNormalization and MultiHeadAttention are not supported, and may be left without
#    annotation. A Dense after such a layer is annotated and trains with quantized weights, but its
#    input has no quantizer: the converter (Optimize.DEFAULT) keeps its kernel as float32. The file
#    neither has the integers of training nor is smaller; no message says so.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow==2.17.1 \
  tf-keras==2.17.0 tensorflow-model-optimization==0.8.1 ai-edge-litert==2.3.0
cat >"$folder/reached.py" <<'PYTHON'
import os

os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
import tensorflow as tf
import tensorflow_model_optimization as tfmot
from ai_edge_litert.interpreter import Interpreter
from tensorflow import keras

quantization = tfmot.quantization.keras
letters = keras.Input((12,), dtype="int32")
dense = keras.layers.Dense(8)(keras.layers.Embedding(27, 16)(letters))
try:
    quantization.quantize_model(keras.Model(letters, dense))
except Exception as error:
    print("integer input:", type(error).__name__)

x = keras.Input((12, 64))
y = keras.layers.LayerNormalization()(x)
y = quantization.quantize_annotate_layer(keras.layers.Dense(128, activation="relu"))(y)
y = quantization.quantize_annotate_layer(keras.layers.Dense(32))(y)
model = quantization.quantize_apply(keras.Model(x, y))
model.compile("adam", "mse")
model.fit(tf.random.normal([64, 12, 64]), tf.random.normal([64, 12, 32]), verbose=0)
converter = tf.lite.TFLiteConverter.from_keras_model(model)
converter.optimizations = [tf.lite.Optimize.DEFAULT]
interpreter = Interpreter(model_content=converter.convert())
for tensor in interpreter.get_tensor_details():
    if tuple(tensor["shape"]) in {(128, 64), (32, 128)}:
        print("kernel", tensor["shape"], tensor["dtype"].__name__)
PYTHON
"$folder/venv/bin/python" "$folder/reached.py" 2>/dev/null
