"""Losses of a training: CTC, transducer, token-and-duration transducer.

The transducer losses are exact, over all alignments, with gradients of their own.
`fused_transducer` computes one together with the joint network, in bounded memory.
"""

from asr_qat.legacy_keras import require_keras_2

require_keras_2()
