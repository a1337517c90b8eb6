#!/usr/bin/env bash
# Does a model with Keras masks keep them in tfmot's quantization? tensorflow-model-optimization
# 0.8.0, tensorflow-cpu 2.17.1, tf-keras 2.17.0.
#
# A model Masking -> Dense -> GlobalAveragePooling1D computes the same for a sequence, and for the
# same sequence with zeros behind it. Seen, when its Dense layer is in tfmot's wrapper:
#
#   TypeError: Dense.call() got an unexpected keyword argument 'mask'
#
# `QuantizeWrapper.call` takes `**kwargs`, so Keras hands it the mask, and the wrapper hands it on
# to a layer that takes none. Nor has the wrapper `supports_masking`: no mask would come out of it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3.11 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow-cpu==2.17.1 \
    tf-keras==2.17.0 tensorflow-model-optimization==0.8.0 numpy==1.26.4
cat >"$folder/mask.py" <<'PYTHON'
import os

os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
import numpy as np
import tensorflow_model_optimization as tfmot
from tensorflow import keras
from tensorflow_model_optimization.python.core.quantization.keras.quantize_wrapper import (
    QuantizeWrapperV2,
)

x = keras.Input((None, 4))
dense = keras.layers.Dense(3)
y = dense(keras.layers.Masking()(x))
model = keras.Model(x, keras.layers.GlobalAveragePooling1D()(y))
given = np.random.default_rng(0).normal(size=(1, 5, 4)).astype("float32")
longer = np.pad(given, [[0, 0], [0, 3], [0, 0]])
np.testing.assert_allclose(model(longer), model(given), rtol=1e-5)

config = tfmot.quantization.keras.default_8bit.Default8BitQuantizeRegistry()
wrapped = QuantizeWrapperV2(
    keras.layers.Dense(3), config.get_quantize_config(keras.layers.Dense(3))
)
assert not wrapped.supports_masking
try:
    wrapped(keras.layers.Masking()(x))
except TypeError as error:
    print(*(line.strip() for line in str(error).splitlines() if "unexpected keyword" in line))
    assert "unexpected keyword argument 'mask'" in str(error)
else:
    raise AssertionError("the mask did no harm")
PYTHON
"$folder/venv/bin/python" "$folder/mask.py" 2>/dev/null
