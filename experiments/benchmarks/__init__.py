"""What training costs: a step, the transducer loss, the input, a whole run on LibriSpeech."""

from asr_qat.legacy_keras import require_keras_2

require_keras_2()
