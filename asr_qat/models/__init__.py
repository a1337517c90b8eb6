"""Conformer models, their configuration, and the directory that holds a trained one.

`kind` has one class for each kind of model (CTC, transducer, live transducer): how it is built, its
losses, its decoder, its signatures. `model_directory` saves and loads; `layer_names` alone knows
what layers are called.
"""

from asr_qat.legacy_keras import require_keras_2

require_keras_2()
