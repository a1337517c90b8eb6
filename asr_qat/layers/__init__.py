"""The Keras layers that models are built of, beyond those of Keras itself.

None multiplies by a matrix of weights: that is left to `asr_qat.quantize.dense.Dense`, whose name
decides its precision.
"""

from asr_qat.legacy_keras import require_keras_2

require_keras_2()
