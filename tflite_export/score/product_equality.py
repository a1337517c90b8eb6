"""Every quantized product of a recogniser's file against the Keras layer, on the same input."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from asr_qat.leftovers import temporary_folder
from asr_qat.models.model_directory import Recogniser
from asr_qat.quantize.apply import quantized_layers
from tflite_export.convert.labels import merged_factors
from tflite_export.runtime.live.live_model import live_model
from tflite_export.runtime.live.whole_recording import recognise_features
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.score.product_probes import ProductProbes
from tflite_export.score.rows import ProductError


def product_errors(
    path: str | Path, recogniser: Recogniser, utterances: Iterable[np.ndarray]
) -> list[ProductError]:
    """Largest difference of each quantized product, as a share of its output's range.

    The converter merges constant factors after a product (the half step of a feed-forward
    module) into its weights; the factor is reported.

    Args:
        path: `.tflite` with one quantized model.
        recogniser: its Keras model, quantized.
        utterances: normalised features `[frames, mel_bins]`; they are recognised, so that the
            prediction and joint networks of a transducer see what they see in use. A live model
            takes them in its steps, in both passes.

    Returns:
        One for each product in graph order.
    """
    layers, factors = quantized_layers(recogniser.model), merged_factors(recogniser.model)
    with temporary_folder() as folder:
        probed = folder / "probed.tflite"
        probes = ProductProbes(path, layers, factors, probed)
        device = _ProbedRecogniser(probed, probes)
    live = live_model(device) if device.live else None
    for features in utterances:
        if live is None:
            device.recognise(features)
        else:
            recognise_features(live, features)
    return probes.summary()


class _ProbedRecogniser(TFLiteRecogniser):
    """Has every product compared whenever a signature has run."""

    def __init__(self, path: Path, probes: ProductProbes):
        super().__init__(path)
        self._probes = probes

    def call(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        return self._probes.check(super().call(signature, **inputs))
