"""Text of recordings, whatever kind of model the `.tflite` file holds."""

import math
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
from tflite_export.runtime.transcription import TimedWord, Transcription, Utterance, timed_words
from tflite_export.runtime.widen import AUTO, Widen

LIVE_LONGEST_S = 20.0  # of an utterance of a live model
# Heard before and after a piece of a recording: where audio begins or ends too soon, models find
# words that are not there, or miss one.
AROUND_S = 0.5
# Transducers that were trained on utterances lose words in what is longer (arXiv 2005.03271): each
# pause of so long ends an utterance of theirs.
TRANSDUCER_PAUSE_S = 0.6


class Transcriber:
    """A CTC model, a transducer or a live model in one file; needs no TensorFlow.

    Any number of threads may use one, and a process may fork after it was loaded: see
    `TFLiteRecogniser`, which also says what the arguments are.

    Attributes:
        recogniser: the file in LiteRT.
        sample_rate: of the audio that it takes, samples per second.
    """

    def __init__(
        self,
        path: str | Path,
        threads: int = 1,
        weight_cache: bool = False,
        *,
        verify: bool = True,
        parallel: int = 1,
        widen: Widen = AUTO,
    ):
        self.recogniser = TFLiteRecogniser(
            path, threads, weight_cache, verify=verify, parallel=parallel, widen=widen
        )
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
        Each is heard with some audio around it, and has the words whose middle is its own.

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
        pieces, around = self._pieces(samples)
        if not timestamps and len(pieces) == 1:
            return self.recogniser.metadata.tokenizer.decode(find.tokens(samples))
        times = frame_times(self.recogniser.metadata, late_s)
        utterances = []
        for piece in pieces:
            heard_from, heard_to = max(0, piece.begin - around), piece.end + around
            part = samples[heard_from:heard_to]
            begin_s = heard_from / self.sample_rate
            end_s = begin_s + len(part) / self.sample_rate
            words = timed_words(find.labels(part), self._label_bytes, times, begin_s, end_s)
            own = tuple(word for word in words if self._is_of(word, piece, len(samples)))
            utterances += [Utterance(own)] if own else []
        found = Transcription(tuple(utterances), len(samples) / self.sample_rate)
        return found if timestamps else found.text

    def _is_of(self, word: TimedWord, piece: Piece, samples: int) -> bool:
        """Whether the middle of a word is in a piece."""
        middle = (word.start_s + word.end_s) / 2 * self.sample_rate
        return piece.begin <= middle and (middle < piece.end or piece.end == samples)

    def _finder(self, search: BeamSearch | None) -> "_WholeUtterances | _LiveModel":
        if self._live is not None:
            path = self.recogniser.path
            require(search is None, f"{path}: a live model searches greedily: omit the beam")
            return _LiveModel(self._live)
        finders = self._finders  # another thread may replace it
        if search not in finders:  # a language model is read once
            finders = self._finders = {search: _WholeUtterances(self.recogniser, search)}
        return finders[search]

    def _pieces(self, samples: Array) -> tuple[list[Piece], int]:
        """Pieces of a recording, and how many samples around each are heard with it."""
        front_end, lengths = self.recogniser.metadata.front_end, self.recogniser.lengths
        longest_s = lengths[-1] * front_end.hop_ms / 1000 if lengths else LIVE_LONGEST_S
        if len(samples) <= longest_s * self.sample_rate:
            return [Piece(0, len(samples))], 0
        around_s = min(AROUND_S, longest_s / 8)
        always_s = math.inf if self.recogniser.steps is None else TRANSDUCER_PAUSE_S
        pieces = cut_in_pauses(samples, self.sample_rate, longest_s - 2 * around_s, always_s)
        return pieces, round(around_s * self.sample_rate)


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


def load(
    path: str | Path,
    threads: int = 1,
    weight_cache: bool = False,
    *,
    verify: bool = True,
    parallel: int = 1,
    widen: Widen = AUTO,
) -> Transcriber:
    """The recogniser of a `.tflite` file.

    Args:
        path: made by `tflite-export convert`.
        threads: CPU threads of one call.
        weight_cache: keep the packed weights in a file that processes share, see
            `tflite_export.runtime.weight_cache`.
        verify: refuse a file whose checksum is wrong.
        parallel: calls at the same time, of as many threads; see `TFLiteRecogniser`.
        widen: bits that 2-bit weights are widened to; see there.

    Raises:
        UserError: no such file, damaged, or not made by `tflite-export convert`.
    """
    return Transcriber(path, threads, weight_cache, verify=verify, parallel=parallel, widen=widen)
