"""Networks that others trained become model directories: NeMo archives, Hugging Face folders.

Their formats are read without PyTorch.
"""

from asr_qat.legacy_keras import require_keras_2

require_keras_2()
