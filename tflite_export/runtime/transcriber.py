"""Text of recordings, whatever kind of model the `.tflite` file holds."""

import math
from pathlib import Path
from typing import Literal, overload

import numpy as np

from asr_qat.arrays import Array
from asr_qat.audio.decode import read_audio
from asr_qat.decoding.timed_label import TimedLabel
from asr_qat.errors import UserError, require
from tflite_export.runtime.decoder import Decoder, frame_times
from tflite_export.runtime.live.live_model import live_model
from tflite_export.runtime.live.whole_recording import recognise
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.runtime.transcription import Transcription, Utterance, timed_words


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
        self._label_bytes = self.recogniser.metadata.tokenizer.label_bytes()
        self._live = live_model(self.recogniser) if self.recogniser.live else None

    @overload
    def transcribe(
        self,
        audio: str | Path | Array,
        sample_rate: int | None = ...,
        beam: int = ...,
        timestamps: Literal[False] = ...,
        late_s: float = ...,
    ) -> str: ...

    @overload
    def transcribe(
        self,
        audio: str | Path | Array,
        sample_rate: int | None = ...,
        beam: int = ...,
        *,
        timestamps: Literal[True],
        late_s: float = ...,
    ) -> Transcription: ...

    def transcribe(
        self,
        audio: str | Path | Array,
        sample_rate: int | None = None,
        beam: int = 0,
        timestamps: bool = False,
        late_s: float = 0.0,
    ) -> str | Transcription:
        """The text spoken in `audio`; of a live model that of the second pass.

        Args:
            audio: a mono WAV, FLAC, NIST SPHERE or OGG file, or floats `[samples]` in [-1, 1).
            sample_rate: of an array, if it may be another than the model's.
            beam: hypotheses that the search of a transducer keeps; 0 for greedy search.
            timestamps: return the words with times and confidences, not only the text.
            late_s: seconds that the labels of this model come after their sound; times are
                earlier by as much.

        Raises:
            UserError: audio that cannot be read, is not mono or has another sample rate, or a
                beam for a CTC or live model.
        """
        if isinstance(audio, np.ndarray):
            samples = self._checked(audio, sample_rate or self.sample_rate)
        else:
            samples = read_audio(audio, self.sample_rate)
        if not timestamps:
            return self._text(samples, beam)
        duration_s = len(samples) / self.sample_rate
        words = timed_words(
            self._labels(samples, beam),
            self._label_bytes,
            frame_times(self.recogniser.metadata, late_s),
            begin_s=0.0,
            end_s=duration_s,
            rated=self._live is None,
        )
        return Transcription((Utterance(0.0, duration_s, words),), duration_s)

    def _text(self, samples: Array, beam: int) -> str:
        if self._live is None:
            return self.recogniser.transcribe(samples, beam)
        tokens = [label.token for label in self._labels(samples, beam)]
        return self.recogniser.metadata.tokenizer.decode(tokens)

    def _labels(self, samples: Array, beam: int) -> list[TimedLabel]:
        if self._live is not None:
            path = self.recogniser.path
            require(not beam, f"{path}: a live model searches greedily: omit beam")
            emissions = recognise(self._live, samples).second.emissions
            return [TimedLabel(e.token, e.frame, e.frame, math.nan) for e in emissions]
        features = self.recogniser.features(samples)
        return Decoder(self.recogniser, beam).labels(features) if len(features) else []

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
