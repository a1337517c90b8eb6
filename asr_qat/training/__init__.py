"""Training with Keras `fit`: a configuration in, a model directory out.

`config` holds what a file may say and `run` carries it out; the other modules are its parts, one
technique each.
"""

from asr_qat.legacy_keras import require_keras_2

require_keras_2()
