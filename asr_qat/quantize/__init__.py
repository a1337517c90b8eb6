"""Native and fake quantization on tfmot's extension points. Knows nothing of speech.

`precision` reads a name such as `w4a8`, `grids` finds the integers of the weights, `products`
multiplies them, `quantizers`, `configs` and `scheme` hand that to tfmot, and `apply` quantizes a
Keras model.
"""

from asr_qat.legacy_keras import require_keras_2

require_keras_2()
