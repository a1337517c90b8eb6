"""Post-training quantization: the baseline that training is measured against."""

import dataclasses
from pathlib import Path

from asr_qat.corpora.prepared import PreparedFolder
from asr_qat.errors import UserError
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from asr_qat.quantize.calibrate import calibrate, needs_calibration
from asr_qat.training.calibration_batches import calibration_batches


def post_training(
    recogniser: Recogniser,
    precision: str | QuantizationConfig,
    calibration: str | Path | None = None,
) -> Recogniser:
    """The float recogniser with quantized products and no further training.

    Args:
        recogniser: a float recogniser; it is left as it is.
        precision: e.g. `w4a8` or `two_bit`, see `asr_qat.quantize.policies`; not `float`. Or
            a whole configuration, whose `mode` is replaced, and which begins at once.
        calibration: prepared folder, for static ranges of activations.

    Raises:
        UserError: static ranges and no data for them.
    """
    if isinstance(precision, str):
        precision = QuantizationConfig(precision)
    quantization = dataclasses.replace(
        precision, mode="ptq", start_step=0, layer_interval=0, stages={}
    )
    model = quantize_model(recogniser.model, quantization)
    if needs_calibration(model):
        if calibration is None:
            raise UserError(
                f"{quantization.precision}: its activations have static ranges: give the prepared "
                "folder to find them in, or train them"
            )
        folder = PreparedFolder(calibration)
        batches = calibration_batches(folder, recogniser.stats_for(folder))
        calibrate(model, recogniser.model, batches.map(recogniser.model_inputs))
    return dataclasses.replace(
        recogniser,
        config=dataclasses.replace(recogniser.config, quantization=quantization),
        model=model,
    )
