"""From encoded frames to labels with their frames, whatever kind of model a file holds."""

from collections.abc import Sequence

from asr_qat.arrays import Array
from asr_qat.decoding.ctc_alignment import align_ctc
from asr_qat.decoding.hypothesis import Hypothesis
from asr_qat.decoding.recognition import recognise_ctc, recognise_transducer
from asr_qat.decoding.timed_label import TimedLabel
from asr_qat.decoding.transducer_alignment import align_transducer
from asr_qat.decoding.transducer_heard import heard_at
from asr_qat.decoding.transducer_times import emitted
from tflite_export.runtime.beam_search import BeamSearch
from tflite_export.runtime.metadata import Metadata
from tflite_export.runtime.recogniser import TFLiteRecogniser
from tflite_export.runtime.transcription import FrameTimes


def frame_times(metadata: Metadata, late_s: float = 0.0) -> FrameTimes:
    """When the encoded frames of a file are.

    Args:
        metadata: of the file.
        late_s: seconds that its labels come after their sound.
    """
    front_end = metadata.front_end
    frame_s = metadata.subsampling_factor * front_end.hop_ms / 1000
    middle_s = 0.0 if front_end.centred else front_end.frame_ms / 2000
    return FrameTimes(frame_s, middle_s, late_s)


class Decoder:
    """The search of a file.

    Args:
        recogniser: a CTC model or a transducer of whole utterances.
        search: None for greedy search.
    """

    def __init__(self, recogniser: TFLiteRecogniser, search: BeamSearch | None = None):
        self._recogniser, self._search = recogniser, search
        self._fusion = None if search is None else search.fusion(recogniser.metadata)

    def tokens(self, features: Array) -> list[int]:
        """The labels of an utterance, whose normalised features are `[frames, mel_bins]`."""
        if self._search is None:
            return self._recogniser.tokens(features)
        return list(self.nbest(features, 1)[0].tokens)

    def nbest(self, features: Array, count: int) -> list[Hypothesis]:
        """The best hypotheses of a beam search, the best one first."""
        return self._searched(self._recogniser.encode(features), count)

    def labels(self, features: Array) -> list[TimedLabel]:
        """The labels with their frames: aligned, of a transducer where they are likeliest."""
        encoded, steps = self._recogniser.encode(features), self._recogniser.steps
        if steps is None:
            return align_ctc(encoded, self._found(encoded))
        if self._search is None:
            logits = recognise_transducer(steps, encoded).logits
            labels = emitted(logits, steps.blank, steps.durations)
        else:
            labels = align_transducer(steps, encoded, self._found(encoded))
        return heard_at(steps, encoded, labels)

    def _found(self, encoded: Array) -> Sequence[int]:
        if self._search is None:
            return recognise_ctc(encoded).tokens
        return self._searched(encoded, 1)[0].tokens

    def _searched(self, encoded: Array, count: int) -> list[Hypothesis]:
        assert self._search is not None
        return self._recogniser.search(encoded, self._search.width, count, self._fusion)
