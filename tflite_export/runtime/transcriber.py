"""Text of recordings, whatever kind of model the `.tflite` file holds."""

from pathlib import Path
from typing import Literal, overload

from asr_qat.arrays import Array
from asr_qat.audio.decode import EncodedAudio
from asr_qat.audio.heard import heard
from asr_qat.audio.pauses import Piece, cut_in_pauses
from asr_qat.decoding.timed_label import TimedLabel
from asr_qat.errors import require
from tflite_export.runtime.beam_search import BeamSearch
from tflite_export.runtime.decoder import Decoder, frame_times
from tflite_export.runtime.live.live_model import LiveModel, live_model
from tflite_export.runtime.live.whole_recording import recognise
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.runtime.transcription import Transcription, Utterance, timed_words

LIVE_LONGEST_S = 20.0  # of an utterance of a live model


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
        self._finders: dict[BeamSearch | None, _WholeUtterances] = {}  # the one used last
        self._label_bytes = self.recogniser.metadata.tokenizer.label_bytes()
        self._live = live_model(self.recogniser) if self.recogniser.live else None

    @overload
    def transcribe(
        self,
        audio: str | Path | EncodedAudio | Array,
        sample_rate: int | None = ...,
        beam: int = ...,
        *,
        search: BeamSearch | None = ...,
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
        search: BeamSearch | None = ...,
        timestamps: Literal[True],
        late_s: float = ...,
    ) -> Transcription: ...

    def transcribe(
        self,
        audio: str | Path | EncodedAudio | Array,
        sample_rate: int | None = None,
        beam: int = 0,
        *,
        search: BeamSearch | None = None,
        timestamps: bool = False,
        late_s: float = 0.0,
    ) -> str | Transcription:
        """The text spoken in `audio`; of a live model that of the second pass.

        What is longer than the model takes at once is cut into utterances in pauses of the speech.

        Args:
            audio: a file of any rate and number of channels, or an array: floats in [-1, 1] or
                integers, `[samples]`, or of several channels. See `asr_qat.audio.heard`.
            sample_rate: of an array, if it is another than the model's.
            beam: hypotheses that the search keeps; 0 for greedy search.
            search: a beam search with a language model or hotwords, in place of `beam`.
            timestamps: return utterances and words with times and confidences, not only the text.
            late_s: seconds that the labels of this model come after their sound; times are
                earlier by as much.

        Raises:
            UserError: audio that cannot be read, a beam for a live model, or a language model that
                cannot be read.
        """
        samples = heard(audio, self.sample_rate, sample_rate)
        find = self._finder(search or (BeamSearch(beam) if beam else None))
        if not timestamps:
            decode = self.recogniser.metadata.tokenizer.decode
            found = (find.tokens(samples[p.begin : p.end]) for p in self._pieces(samples))
            return " ".join(filter(None, map(decode, found)))
        times = frame_times(self.recogniser.metadata, late_s)
        utterances = []
        for piece in self._pieces(samples):
            begin_s, end_s = piece.begin / self.sample_rate, piece.end / self.sample_rate
            labels = find.labels(samples[piece.begin : piece.end])
            words = timed_words(labels, self._label_bytes, times, begin_s, end_s)
            utterances += [Utterance(words)] if words else []
        return Transcription(tuple(utterances), len(samples) / self.sample_rate)

    def _finder(self, search: BeamSearch | None) -> "_WholeUtterances | _LiveModel":
        if self._live is not None:
            path = self.recogniser.path
            require(search is None, f"{path}: a live model searches greedily: omit the beam")
            return _LiveModel(self._live)
        if search not in self._finders:  # a language model is read once
            self._finders = {search: _WholeUtterances(self.recogniser, search)}
        return self._finders[search]

    def _pieces(self, samples: Array) -> list[Piece]:
        front_end, lengths = self.recogniser.metadata.front_end, self.recogniser.lengths
        longest_s = lengths[-1] * front_end.hop_ms / 1000 if lengths else LIVE_LONGEST_S
        return cut_in_pauses(samples, self.sample_rate, longest_s)


class _WholeUtterances:
    """Labels of samples, by a CTC model or a transducer."""

    def __init__(self, recogniser: TFLiteRecogniser, search: BeamSearch | None):
        self._features = recogniser.features
        self._decoder = Decoder(recogniser, search)

    def tokens(self, samples: Array) -> list[int]:
        features = self._features(samples)
        return self._decoder.tokens(features) if len(features) else []

    def labels(self, samples: Array) -> list[TimedLabel]:
        features = self._features(samples)
        return self._decoder.labels(features) if len(features) else []


class _LiveModel:
    """The same by a live model, whose labels have no probabilities."""

    def __init__(self, model: LiveModel):
        self._model = model

    def tokens(self, samples: Array) -> list[int]:
        return recognise(self._model, samples).second.tokens

    def labels(self, samples: Array) -> list[TimedLabel]:
        emissions = recognise(self._model, samples).second.emissions
        return [TimedLabel(e.token, e.frame, e.frame, None) for e in emissions]


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
