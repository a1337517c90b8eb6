"""Text of recordings, whatever kind of model the `.tflite` file holds."""

from pathlib import Path

import numpy as np

from asr_qat.arrays import Array
from asr_qat.audio.decode import read_audio
from asr_qat.errors import UserError, require
from tflite_export.runtime.live.live_model import live_model
from tflite_export.runtime.live.whole_recording import transcribe
from tflite_export.runtime.recogniser import TFLiteRecogniser


class Transcriber:
    """A CTC model, a transducer or a live model in one file; needs no TensorFlow.

    Not for several threads at once: load the file once for each.

    Attributes:
        recogniser: the file in LiteRT.
        sample_rate: of the audio that it takes, samples per second.
    """

    def __init__(self, path: str | Path, threads: int = 1, weight_cache: bool = False):
        self.recogniser = TFLiteRecogniser(path, threads, weight_cache)
        self.sample_rate = self.recogniser.metadata.front_end.sample_rate
        self._live = live_model(self.recogniser) if self.recogniser.live else None

    def transcribe(
        self, audio: str | Path | Array, sample_rate: int | None = None, beam: int = 0
    ) -> str:
        """The text spoken in `audio`; of a live model that of the second pass.

        Args:
            audio: a mono WAV, FLAC, NIST SPHERE or OGG file, or floats `[samples]` in [-1, 1).
            sample_rate: of an array, if it may be another than the model's.
            beam: hypotheses that the search of a transducer keeps; 0 for greedy search.

        Raises:
            UserError: audio that cannot be read, is not mono or has another sample rate, or a
                beam for a CTC or live model.
        """
        if isinstance(audio, np.ndarray):
            samples = self._checked(audio, sample_rate or self.sample_rate)
        else:
            samples = read_audio(audio, self.sample_rate)
        if self._live is None:
            return self.recogniser.transcribe(samples, beam)
        path = self.recogniser.path
        require(not beam, f"{path}: a live model searches greedily: omit beam")
        return transcribe(self._live, samples)

    def _checked(self, audio: Array, sample_rate: int) -> Array:
        if sample_rate != self.sample_rate:
            raise UserError(
                f"audio of {sample_rate} Hz: {self.recogniser.path} takes {self.sample_rate} Hz: "
                f"resample it, such as soxr.resample(audio, {sample_rate}, {self.sample_rate})"
            )
        if audio.ndim != 1 or not np.issubdtype(audio.dtype, np.floating):
            raise UserError(
                f"audio of shape {list(audio.shape)} and type {audio.dtype}: expected one "
                "dimension of floats, such as samples.astype('float32') / 32768 of 16-bit integers"
            )
        return audio.astype(np.float32, copy=False)


def load(path: str | Path, threads: int = 1, weight_cache: bool = False) -> Transcriber:
    """The recogniser of a `.tflite` file.

    Args:
        path: made by `tflite-export convert`.
        threads: CPU threads.
        weight_cache: keep the packed weights in a file that processes share, see
            `tflite_export.runtime.weight_cache`.

    Raises:
        UserError: no such file, damaged, or not made by `tflite-export convert`.
    """
    return Transcriber(path, threads, weight_cache)
