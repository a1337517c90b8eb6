"""Text of recordings, whatever kind of model the `.tflite` file holds."""

import math
from pathlib import Path
from typing import Literal, overload

from asr_qat.arrays import Array
from asr_qat.audio.decode import EncodedAudio
from asr_qat.audio.heard import heard
from asr_qat.decoding.timed_label import TimedLabel
from asr_qat.errors import require
from tflite_export.runtime.decoder import Decoder, frame_times
from tflite_export.runtime.live.live_model import live_model
from tflite_export.runtime.live.whole_recording import recognise_features
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
        audio: str | Path | EncodedAudio | Array,
        sample_rate: int | None = ...,
        beam: int = ...,
        timestamps: Literal[False] = ...,
        late_s: float = ...,
    ) -> str: ...

    @overload
    def transcribe(
        self,
        audio: str | Path | EncodedAudio | Array,
        sample_rate: int | None = ...,
        beam: int = ...,
        *,
        timestamps: Literal[True],
        late_s: float = ...,
    ) -> Transcription: ...

    def transcribe(
        self,
        audio: str | Path | EncodedAudio | Array,
        sample_rate: int | None = None,
        beam: int = 0,
        timestamps: bool = False,
        late_s: float = 0.0,
    ) -> str | Transcription:
        """The text spoken in `audio`; of a live model that of the second pass.

        Args:
            audio: a file of any rate and number of channels, or an array: floats in [-1, 1] or
                integers, `[samples]`, or of several channels. See `asr_qat.audio.heard`.
            sample_rate: of an array, if it is another than the model's.
            beam: hypotheses that the search of a transducer keeps; 0 for greedy search.
            timestamps: return the words with times and confidences, not only the text.
            late_s: seconds that the labels of this model come after their sound; times are
                earlier by as much.

        Raises:
            UserError: audio that cannot be read, or a beam for a CTC or live model.
        """
        samples = heard(audio, self.sample_rate, sample_rate)
        duration_s = len(samples) / self.sample_rate
        features = self.recogniser.features(samples)
        del samples  # of an hour twice as large as its features
        if not timestamps:
            return self._text(features, beam)
        words = timed_words(
            self._labels(features, beam),
            self._label_bytes,
            frame_times(self.recogniser.metadata, late_s),
            begin_s=0.0,
            end_s=duration_s,
            rated=self._live is None,
        )
        return Transcription((Utterance(0.0, duration_s, words),), duration_s)

    def _text(self, features: Array, beam: int) -> str:
        if self._live is not None:
            tokens = [label.token for label in self._labels(features, beam)]
        else:
            tokens = Decoder(self.recogniser, beam).tokens(features) if len(features) else []
        return self.recogniser.metadata.tokenizer.decode(tokens)

    def _labels(self, features: Array, beam: int) -> list[TimedLabel]:
        if self._live is not None:
            path = self.recogniser.path
            require(not beam, f"{path}: a live model searches greedily: omit beam")
            emissions = recognise_features(self._live, features).second.emissions
            return [TimedLabel(e.token, e.frame, e.frame, math.nan) for e in emissions]
        return Decoder(self.recogniser, beam).labels(features) if len(features) else []


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
