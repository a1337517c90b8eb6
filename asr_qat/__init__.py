"""Speech recognisers with 4-bit weights: data, Conformer, native quantization aware training.

Importing this package is cheap: TensorFlow is loaded by the modules that need it.
tensorflow-model-optimization works with Keras 2 only, so the choice of Keras is made
here, before anything imports TensorFlow.
"""

import os
import sys

__version__ = "0.1.0"


def _use_keras_2() -> None:
    chosen = os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
    keras_3_active = chosen not in ("1", "true", "True") or (
        "tensorflow.keras" in sys.modules and "tf_keras" not in sys.modules
    )
    if keras_3_active:
        raise ImportError(
            "asr_qat needs Keras 2 but Keras 3 is active: import asr_qat before tensorflow, "
            "or set TF_USE_LEGACY_KERAS=1 in the environment"
        )
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


_use_keras_2()
