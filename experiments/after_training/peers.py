"""The same float model by the recipes of LiteRT's quantizer, in files that are scored like ours."""

import contextlib
import io
import warnings
from collections.abc import Sequence

import litert_quantizer
from ai_edge_litert.tools import flatbuffer_utils
from litert_quantizer.algorithm_manager import AlgorithmName
from litert_quantizer.qtyping import TFLOperationName

from asr_qat.arrays import Array
from asr_qat.models.model_directory import Recogniser
from tflite_export.convert.convert import convert_labelled, finish, metadata_of, signature_frames
from tflite_export.convert.file_weights import weights_of
from tflite_export.convert.labels import merged_factors
from tflite_export.convert.pack import write_floats
from tflite_export.silence import silence

RECIPES = {
    "min-max": AlgorithmName.MIN_MAX_UNIFORM_QUANT,
    "MSE": AlgorithmName.MSE,
    "OCTAV": AlgorithmName.OCTAV,
    "Hadamard": AlgorithmName.DECOMPOSED_HADAMARD_ROTATION,
    "GPTQ": AlgorithmName.GPTQ,
    "OSCAR": AlgorithmName.OSCAR,
}


class Peers:
    """Quantized files of one CTC model.

    Args:
        recogniser: float.
        seconds: of the file's one signature.
        speech: normalised features `[frames, mel_bins]` of each utterance to calibrate on.
    """

    def __init__(self, recogniser: Recogniser, seconds: float, speech: Sequence[Array]):
        (self._frames,) = signature_frames(recogniser, (seconds,))
        self._recogniser = recogniser
        self._speech = [each for each in speech if len(each) <= self._frames]
        self._float = self._named()

    def file(self, recipe: str, bits: int) -> bytes:
        """A file whose products have weights of so many bits and int8 activations.

        Raises:
            Exception: whatever the quantizer stops with.
        """
        with silence(), warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            quantizer = litert_quantizer.Quantizer(bytearray(self._float))
            quantizer.add_dynamic_config(
                ".*", TFLOperationName.FULLY_CONNECTED, bits, algorithm_key=RECIPES[recipe]
            )
            found = None
            if quantizer.need_calibration:
                found = quantizer.calibrate({f"encode_{self._frames}": self._inputs()})
            made = quantizer.quantize(
                found, enable_progress_bar=False, enable_progress_report=False
            )
        model = flatbuffer_utils.read_model_from_bytearray(bytearray(made.quantized_model))
        return bytes(finish(model, metadata_of(self._recogniser, {})))

    def _named(self) -> bytes:
        """The float file with a name for every tensor, which the quantizer needs."""
        weights = weights_of(self._recogniser, "float", "model", None)
        kind, model = self._recogniser.config.kind, weights.model
        functions = kind.signatures(model, (self._frames,))
        converted, factors = (
            convert_labelled(functions, model.weights, model),
            merged_factors(model),
        )
        write_floats(converted, weights.kernels, factors)
        return bytes(flatbuffer_utils.convert_object_to_bytearray(converted))

    def _inputs(self) -> list[dict[str, Array]]:
        """The speech as the file is given it: padded."""
        import numpy as np

        found = []
        for each in self._speech:
            features = np.zeros((1, self._frames, each.shape[1]), np.float32)
            features[0, : len(each)] = each
            found.append({"features": features, "lengths": np.array([len(each)], np.int32)})
        return found
