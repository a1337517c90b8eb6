"""Native and fake quantization on tfmot's extension points."""

from asr_qat.legacy_keras import require_keras_2

require_keras_2()
