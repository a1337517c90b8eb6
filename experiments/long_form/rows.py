"""What `results/long_form.json` holds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.targets import Row, at_most, equal

MOST_MB, MOST_RTF = 512.0, 0.03  # of an hour
MEDIAN_MS, MOST_MS = 40.0, 120.0  # errors of times: the median, 95% of them
TIMES_GREEDY = 3.0  # real-time factor of a beam search with a language model


@dataclasses.dataclass(frozen=True)
class HourRow:
    """A long recording in one process of its own.

    Attributes:
        name: the file, without suffix.
        seconds: of audio.
        recordings: that it is made of, with pauses of their rooms' noise between them.
        peak_mb: memory of the process, with Python, MB (2^20).
        rtf: real-time factor, with reading the file.
        utterances: that it was cut into.
        words: that were found.
        different: edits between these and the words of the recordings one by one.
        lost: words of the recordings alone that are missing where it was cut.
        doubled: words too many where it was cut.
        wer: word error rate; None of earlier measurements.
        wer_alone: that of the recordings one by one.
    """

    name: str
    seconds: float
    recordings: int
    peak_mb: float
    rtf: float
    utterances: int
    words: int
    different: int
    lost: int
    doubled: int
    wer: float | None = None
    wer_alone: float | None = None


@dataclasses.dataclass(frozen=True)
class TimesRow:
    """Times and confidences of the words that a file finds.

    The times are beside those of the transcript, aligned by a float CTC model.

    Attributes:
        name: the file, without suffix.
        kind: `CTC` or `transducer`.
        late_ms: mean of times less reference, of other recordings, in the middle half; it is taken
            from the times.
        words: that were found and are in the transcripts.
        start_ms: median and 95th percentile of the error of beginnings.
        end_ms: the same of ends.
        speech_end_ms: median of the end of the last word less that of the speech by level.
        confidence_auc: probability that a right word has a higher confidence than a wrong one.
        calibration_error: mean difference of confidence and share of right words in ten bins.
    """

    name: str
    kind: str
    late_ms: float
    words: int
    start_ms: tuple[float, float]
    end_ms: tuple[float, float]
    speech_end_ms: float
    confidence_auc: float
    calibration_error: float


@dataclasses.dataclass(frozen=True)
class SearchRow:
    """A file with a search.

    Attributes:
        name: the file, without suffix.
        kind: `CTC` or `transducer`.
        search: `greedy`, `beam`, or `beam, language model`.
        beam: its width; 0 for greedy search.
        lm_weight: of the language model, chosen on other recordings.
        word_bonus: the same.
        wer: word error rate.
        rtf: real-time factor.
    """

    name: str
    kind: str
    search: str
    beam: int
    lm_weight: float
    word_bonus: float
    wer: float
    rtf: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class LongFormResults(Provenance):
    """Hours, times of words, language models.

    Attributes:
        data: name of the recordings.
        hours: of files on an hour.
        times: of files on the test recordings.
        searches: the same, with n-grams of the training texts.
        targets: what was promised of them.
    """

    data: str = ""
    hours: tuple[HourRow, ...] = ()
    times: tuple[TimesRow, ...] = ()
    searches: tuple[SearchRow, ...] = ()
    targets: tuple[Row, ...] = ()

    def with_targets(self) -> "LongFormResults":
        """The same with `targets` of all rows."""
        rows = [row for of in (self._hours, self._times, self._searches) for row in of()]
        return dataclasses.replace(self, targets=tuple(rows))

    def _hours(self) -> list[Row]:
        return [
            target
            for row in self.hours
            for target in (
                at_most(f"{row.name}: MB for {row.seconds / 60:.0f} minutes", row.peak_mb, MOST_MB),
                at_most(f"{row.name}: real-time factor", row.rtf, MOST_RTF),
                equal(f"{row.name}: words lost or doubled at cuts", row.lost + row.doubled, 0),
            )
        ]

    def _times(self) -> list[Row]:
        found = []
        for row in self.times:
            for what, (median, most) in (("begin", row.start_ms), ("end", row.end_ms)):
                name = f"{row.name}: ms that words {what} apart from the alignment"
                found.append(at_most(f"{name}, median", median, MEDIAN_MS))
                found.append(at_most(f"{name}, 95%", most, MOST_MS))
        return found

    def _searches(self) -> list[Row]:
        greedy = {row.name: row.rtf for row in self.searches if not row.beam}
        return [
            at_most(
                f"{row.name}: times the greedy search's real-time factor, with a language model",
                row.rtf / greedy[row.name],
                TIMES_GREEDY,
            )
            for row in self.searches
            if row.search == WITH_MODEL and row.kind == "CTC"
        ]


GREEDY, BEAM, WITH_MODEL = "greedy", "beam", "beam, language model"
