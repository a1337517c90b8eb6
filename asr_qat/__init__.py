"""Speech recognisers with 4-bit weights: data, Conformer, native quantization aware training.

Importing this package is cheap: TensorFlow is loaded by the modules that need it.
Keras 2 is chosen here, before anything imports TensorFlow; the packages that need it check it.
"""

import os

from asr_qat.legacy_keras import choose_keras_2

__version__ = "0.1.0"

choose_keras_2()
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
