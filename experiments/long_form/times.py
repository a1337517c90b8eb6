"""Times of words beside a forced alignment of their transcripts, and what confidences are worth."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jiwer
import numpy as np

from asr_qat.corpora.utterance import Utterance
from asr_qat.decoding.ctc_alignment import align_ctc
from asr_qat.errors import require
from experiments.live.alignment import speech_end
from experiments.long_form.rows import TimesRow
from tflite_export.runtime.decoder import frame_times
from tflite_export.runtime.transcriber import Transcriber, load
from tflite_export.runtime.transcription import TimedWord, timed_words

BINS = 10  # of confidences


class Reference:
    """Words of transcripts, aligned to the audio by a CTC model.

    Args:
        path: of a `.tflite` file.
    """

    def __init__(self, path: Path):
        self._recogniser = load(path).recogniser
        require(
            self._recogniser.steps is None and not self._recogniser.live,
            f"{path}: alignment is by a CTC model",
        )
        self._bytes = self._recogniser.metadata.tokenizer.label_bytes()

    def __call__(self, audio: np.ndarray, text: str) -> tuple[TimedWord, ...]:
        """The words of a transcript; audio is float32 `[samples]`."""
        metadata = self._recogniser.metadata
        logits = self._recogniser.encode(self._recogniser.features(audio))
        labels = align_ctc(logits, metadata.tokenizer.encode(text))
        end_s = len(audio) / metadata.front_end.sample_rate
        return timed_words(labels, self._bytes, frame_times(metadata), 0.0, end_s)


def times(
    path: Path, reference: Reference, dev: Sequence[Utterance], test: Sequence[Utterance]
) -> TimesRow:
    """Score a file; how late its words are is found on `dev` and taken from the times of `test`."""
    model = load(path)
    late_s = middle_mean(_errors(_words(model, reference, dev)))
    found = _words(model, reference, test, late_s)
    errors_ms = 1000 * np.abs(_errors(found))
    right = np.array([one is not None for one, _ in found.pairs])
    rates = np.array([word.confidence for _, word in found.pairs], float)
    return TimesRow(
        name=path.stem,
        kind="CTC" if model.recogniser.steps is None else "transducer",
        late_ms=1000 * late_s,
        words=int(right.sum()),
        start_ms=_spread(errors_ms[:, 0]),
        end_ms=_spread(errors_ms[:, 1]),
        speech_end_ms=1000 * float(np.median(found.after_speech)),
        confidence_auc=auc(rates, right),
        calibration_error=calibration_error(rates, right),
    )


@dataclasses.dataclass
class _Found:
    """Words of recordings.

    Attributes:
        pairs: each word that was found, with that of the transcript if it is right.
        after_speech: seconds from the end of the speech, by level, to that of the last word.
    """

    pairs: list[tuple[TimedWord | None, TimedWord]] = dataclasses.field(default_factory=list)
    after_speech: list[float] = dataclasses.field(default_factory=list)


def _words(
    model: Transcriber, reference: Reference, items: Sequence[Utterance], late_s: float = 0.0
) -> _Found:
    found = _Found()
    config = model.recogniser.metadata.front_end
    for item in items:
        audio = item.read(model.sample_rate)
        words = model.transcribe(audio, timestamps=True, late_s=late_s).words
        if words:
            found.pairs += paired(reference(audio, item.text), words)
            found.after_speech.append(words[-1].end_s - speech_end(audio, config))
    require(any(one for one, _ in found.pairs), "no word is right: times of other recordings")
    return found


def paired(
    spoken: Sequence[TimedWord], found: Sequence[TimedWord]
) -> list[tuple[TimedWord | None, TimedWord]]:
    """Each word of `found`, with the one of `spoken` that it is, if it is one."""
    reference, hypothesis = (" ".join(word.text for word in words) for words in (spoken, found))
    (chunks,) = jiwer.process_words(reference, hypothesis).alignments
    of: dict[int, TimedWord] = {}
    for chunk in chunks:
        if chunk.type == "equal":
            places = range(chunk.hyp_start_idx, chunk.hyp_end_idx)
            of |= zip(places, spoken[chunk.ref_start_idx : chunk.ref_end_idx], strict=True)
    return [(of.get(place), word) for place, word in enumerate(found)]


def _errors(found: _Found) -> np.ndarray:
    """Seconds that right words begin and end late, `[words, 2]`."""
    return np.array(
        [
            (word.start_s - one.start_s, word.end_s - one.end_s)
            for one, word in found.pairs
            if one is not None
        ]
    )


def middle_mean(values: np.ndarray) -> float:
    """Mean of the middle half: as robust as the median, and not bound to whole frames."""
    low, high = np.percentile(values, (25, 75))
    return float(values[(values >= low) & (values <= high)].mean())


def _spread(values: np.ndarray) -> tuple[float, float]:
    median, most = np.percentile(values, (50, 95))
    return float(median), float(most)


def auc(rates: np.ndarray, right: np.ndarray) -> float:
    """Probability that one of the right has a higher rate than one of the wrong."""
    good, bad = rates[right], rates[~right]
    if not len(good) or not len(bad):
        return 1.0
    above = (good[:, None] > bad).mean() + (good[:, None] == bad).mean() / 2
    return float(above)


def calibration_error(rates: np.ndarray, right: np.ndarray) -> float:
    """Expected calibration error: of each bin by its share of all."""
    bins = np.minimum((rates * BINS).astype(int), BINS - 1)
    off = [abs(rates[bins == b].sum() - right[bins == b].sum()) for b in range(BINS)]
    return float(sum(off) / len(rates))
