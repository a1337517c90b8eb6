"""When words end: a forced alignment with a CTC model of whole utterances."""

import numpy as np

from asr_qat.audio.front_end import FrontEndConfig, log_mel, normalize
from asr_qat.decoding.ctc_alignment import align_ctc
from asr_qat.errors import UserError, require
from asr_qat.models.ctc import CTC
from asr_qat.models.model_directory import Recogniser
from asr_qat.text.words import SPACE

SPEECH_DB = 12.0  # above the noise of the recording
NOISE_PERCENTILE = 10


class WordEnds:
    """Ends of the words of a recording, in seconds, by a CTC model.

    An encoded frame k is about the audio around the middle of feature frame 4k. A word ends with
    the frame of its last label, of which CTC has one frame as a rule. CTC is free to have it late:
    `speech_end` tells how late the last word of a recording is.

    Args:
        recogniser: a CTC model of whole utterances.

    Raises:
        UserError: another kind of model.
    """

    def __init__(self, recogniser: Recogniser):
        if not isinstance(recogniser.config.kind, CTC):
            raise UserError("alignment: with a CTC model: give another model directory")
        self._recogniser = recogniser
        self._decoder = recogniser.decoder()
        front_end = recogniser.config.front_end
        self.frame_ms = 4 * front_end.hop_ms
        self._middle_ms = 1000 * front_end.frame_length / front_end.sample_rate / 2

    def __call__(self, audio: np.ndarray, text: str) -> list[float]:
        """The end of each word of `text`; audio is float32 `[samples]`."""
        recogniser = self._recogniser
        front_end = recogniser.config.front_end
        features = normalize(log_mel(audio, front_end), front_end, recogniser.mean, recogniser.std)
        (logits,) = self._decoder.encode(features[None], np.array([len(features)], np.int32))
        labels = recogniser.tokenizer.encode(text)
        spans = align_ctc(logits, labels)
        parts = recogniser.tokenizer.label_bytes()
        last: list[int] = []  # frame of each word's last label
        for label, span in zip(labels, spans, strict=True):
            if parts[label].startswith(SPACE) or not last:
                last.append(span.last)
            else:
                last[-1] = span.last
        require(len(last) == len(text.split()), f"{text}: its labels do not begin with its words")
        centres = [frame * self.frame_ms + self._middle_ms for frame in last]
        return [(centre + self.frame_ms / 2) / 1000 for centre in centres]


def speech_end(audio: np.ndarray, config: FrontEndConfig) -> float:
    """Seconds to the last 10 ms that are louder than the recording's noise by `SPEECH_DB`."""
    size = config.hop_length
    power = (audio[: len(audio) // size * size].reshape(-1, size).astype(np.float64) ** 2).mean(1)
    level = 10 * np.log10(power + 1e-12)
    loud = np.flatnonzero(level > np.percentile(level, NOISE_PERCENTILE) + SPEECH_DB)
    return float((loud[-1] + 1) * size / config.sample_rate) if len(loud) else 0.0
