"""Named primitive Keras layers of the Conformer."""

from asr_qat.legacy_keras import require_keras_2

require_keras_2()
