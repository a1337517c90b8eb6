"""The same float model by the recipes of LiteRT's quantizer, in files that are scored like ours."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from ai_edge_litert.tools import flatbuffer_utils

from asr_qat.arrays import Array
from asr_qat.models.model_directory import Recogniser
from tflite_export.convert.convert import convert_labelled, finish, metadata_of, signature_frames
from tflite_export.convert.file_weights import weights_of
from tflite_export.convert.labels import merged_factors
from tflite_export.convert.pack import write_floats

RECIPES = {  # by their names in `litert_quantizer`
    "min-max": "MIN_MAX_UNIFORM_QUANT",
    "MSE": "MSE",
    "OCTAV": "OCTAV",
    "Hadamard": "DECOMPOSED_HADAMARD_ROTATION",
    "GPTQ": "GPTQ",
    "OSCAR": "OSCAR",
}
SCRIPT = Path(__file__).with_name("litert_recipe.py")


class Peers:
    """Quantized files of one CTC model.

    Args:
        recogniser: float.
        seconds: of the file's one signature.
        speech: normalised features `[frames, mel_bins]` of each utterance to calibrate on.
        python: of an environment with litert-quantizer.
        folder: for files on the way.
    """

    def __init__(
        self,
        recogniser: Recogniser,
        seconds: float,
        speech: Sequence[Array],
        python: Path,
        folder: Path,
    ):
        self._recogniser, self._python, self._folder = recogniser, python, folder
        (frames,) = signature_frames(recogniser, (seconds,))
        (folder / "float.tflite").write_bytes(_named(recogniser, frames))
        fitting = [each for each in speech if len(each) <= frames]
        features = np.zeros((len(fitting), frames, fitting[0].shape[1]), np.float32)
        for row, each in zip(features, fitting, strict=True):
            row[: len(each)] = each
        lengths = np.array([len(each) for each in fitting], np.int32)
        signature = np.array(f"encode_{frames}")
        np.savez(folder / "inputs.npz", features=features, lengths=lengths, signature=signature)

    def file(self, recipe: str, bits: int) -> bytes | str:
        """A file whose products have weights of so many bits, or why there is none."""
        made = self._folder / "made.tflite"
        made.unlink(missing_ok=True)
        words = [self._folder / "float.tflite", RECIPES[recipe], bits]
        words += [self._folder / "inputs.npz", made]
        done = subprocess.run(
            list(map(str, [self._python, SCRIPT, *words])), capture_output=True, text=True
        )
        if done.returncode:
            return done.stderr.strip().splitlines()[-1]
        model = flatbuffer_utils.read_model(str(made))
        for buffer in model.buffers:
            if buffer.data is not None:
                buffer.data = np.frombuffer(bytes(buffer.data), np.uint8)
        return bytes(finish(model, metadata_of(self._recogniser, {})))


def _named(recogniser: Recogniser, frames: int) -> bytes:
    """The float file with a name for every tensor, which the quantizer needs."""
    weights = weights_of(recogniser, "float", "model", None)
    functions = recogniser.config.kind.signatures(weights.model, (frames,))
    converted = convert_labelled(functions, weights.model.weights, weights.model)
    write_floats(converted, weights.kernels, merged_factors(weights.model))
    return bytes(flatbuffer_utils.convert_object_to_bytearray(converted))
