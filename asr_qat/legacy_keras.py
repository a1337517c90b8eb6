"""Keras 2: tensorflow-model-optimization works with no other.

What `tf.keras` means is chosen by a variable of the environment, before TensorFlow is imported.
"""

import os
import sys

from asr_qat.errors import UserError

VARIABLE = "TF_USE_LEGACY_KERAS"


def choose_keras_2() -> None:
    """Choose Keras 2 unless the environment says otherwise."""
    os.environ.setdefault(VARIABLE, "1")


def require_keras_2() -> None:
    """Raise `UserError` if Keras 3 is chosen, or loaded already."""
    chosen = os.environ.get(VARIABLE)
    if chosen not in ("1", "true", "True"):
        raise UserError(f"needs Keras 2, but {VARIABLE} is {chosen}: set it to 1, or unset it")
    if "tensorflow" in sys.modules:  # its `keras` is chosen when it is first used
        from tensorflow import keras

        if not keras.layers.Layer.__module__.startswith("tf_keras"):
            raise UserError("needs Keras 2, but Keras 3 is loaded: import asr_qat before Keras")
