"""What is measured of files under several conditions; see `tflite_export.score.rows`."""

import dataclasses

from asr_qat.provenance import Provenance
from tflite_export.score.rows import Difference, FileFacts, Rates


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConditionFile(FileFacts):
    """A file that is scored.

    Attributes:
        name: of the file.
        baseline: whether the others are compared with it.
    """

    name: str
    baseline: bool = False


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConditionRow(Rates, Difference):
    """A file under one condition.

    Attributes:
        file: its name; of a live model with the pass.
        noise: name of the noise, None for none.
        snr_db: ratio of the recording's power to that of the noise; None without noise.
        gain_db: by which the level rises.
        offset: that is added to every sample, as a share of full scale.
        condition: all of it in words.
    """

    file: str
    condition: str
    noise: str | None
    snr_db: float | None
    gain_db: float
    offset: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class ConditionsEvaluation(Provenance):
    """What `tflite-export evaluate` finds under conditions.

    Attributes:
        data: name of the recordings.
        utterances: that were recognised.
        words: in their references.
        normalizer: that references and hypotheses went through.
        left_out: recordings that the figures are not of.
        files: that were scored.
        rows: of each condition, the first of them clean, and each file.
    """

    data: str
    utterances: int
    words: int
    normalizer: str
    left_out: int
    files: tuple[ConditionFile, ...]
    rows: tuple[ConditionRow, ...]
