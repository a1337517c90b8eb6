"""Post-training quantization: the baseline that training is measured against."""

import dataclasses

from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import QuantizationConfig, quantize_model


def post_training(recogniser: Recogniser, precision: str) -> Recogniser:
    """The float recogniser with quantized products and no further training.

    Args:
        recogniser: a float recogniser; it is left as it is.
        precision: e.g. `w4a8` or `two_bit`, see `asr_qat.quantize.policies`; not `float`.
    """
    quantization = QuantizationConfig(precision)
    return dataclasses.replace(
        recogniser,
        config=dataclasses.replace(recogniser.config, quantization=quantization),
        model=quantize_model(recogniser.model, quantization),
    )
