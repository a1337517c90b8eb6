"""From encoded frames to labels with their frames, whatever kind of model a file holds."""

from asr_qat.arrays import Array
from asr_qat.decoding.ctc_alignment import align_ctc
from asr_qat.decoding.timed_label import TimedLabel
from asr_qat.decoding.transducer_times import emitted
from asr_qat.errors import require
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
        beam: hypotheses that the search keeps; 0 for greedy search.
    """

    def __init__(self, recogniser: TFLiteRecogniser, beam: int = 0):
        self._recogniser, self._beam = recogniser, beam

    def tokens(self, features: Array) -> list[int]:
        """The labels of an utterance, whose normalised features are `[frames, mel_bins]`."""
        if self._beam:
            return list(self._recogniser.beam_search(features, self._beam)[0].tokens)
        return self._recogniser.tokens(features)

    def labels(self, features: Array) -> list[TimedLabel]:
        """The same with their frames: of a CTC model aligned, of a transducer as emitted."""
        require(not self._beam, "times: of the greedy search: omit the beam")
        found = self._recogniser.recognise(features)
        steps = self._recogniser.steps
        if steps is None:
            return align_ctc(found.logits, found.tokens)
        return emitted(found.logits, steps.blank, steps.durations)
