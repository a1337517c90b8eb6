"""What `tflite-export scale` finds; the weights are untrained, so nothing is said of accuracy."""

import dataclasses
from collections.abc import Sequence

from asr_qat.provenance import Provenance
from experiments.targets import Row, at_least
from tflite_export.score.contents import ByteParts, DelegatedGraph, ListedConstant
from tflite_export.score.rows import FileFacts

ALL_TWO_BITS = "two_bit_all"
LEAST_RATIO = 14.0  # of its file of the L transducer


@dataclasses.dataclass(frozen=True, kw_only=True)
class ExportCosts:
    """What it takes to write a file, in a process of its own.

    Attributes:
        convert_seconds: with Python's start and the reading of the weights.
        convert_peak_rss_mb: peak memory, MB (2^20).
    """

    convert_seconds: float
    convert_peak_rss_mb: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class InitialFile(FileFacts, ExportCosts):
    """A file of a preset's initial weights.

    Attributes:
        name: of the row, with the preset.
        parameters: of the model.
        ratio: how many times smaller than the float32 file.
        wire_bytes: of the file, compressed with zstd; None in results before it was counted.
        weight_widths: see `tflite_export.score.contents.Contents`.
        delegated: see there.
        bytes_by_part: see there.
        peak_rss_mb: peak memory of a process that loads it and recognises audio, MB (2^20).
    """

    name: str
    parameters: int
    ratio: float
    wire_bytes: int | None = None
    weight_widths: dict[str, dict[str, float]]
    delegated: dict[str, DelegatedGraph | None]
    bytes_by_part: ByteParts
    peak_rss_mb: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileSpeed:
    """How long a file takes for an utterance of the results' `audio_seconds`.

    Attributes:
        latency_ms: encoder and search together, median of the rounds.
        encode_ms: of it the encoder.
        predict_ms: one call of a transducer's prediction network; None for a CTC model.
        join_ms: one call of its joint network; None for a CTC model.
        rtf: real-time factor.
        speedup: how many times faster than the float32 file, median of the rounds' ratios.
        threads: CPU threads.
    """

    latency_ms: float
    encode_ms: float
    predict_ms: float | None = None
    join_ms: float | None = None
    rtf: float
    speedup: float
    threads: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScaleRow(InitialFile, FileSpeed):
    """One file.

    Attributes:
        preset: `S`, `M` or `L`.
        paper_ratio: how many times smaller it is in Ding et al. (2022), if they say so.
        memory_ratio: peak memory in that of the float32 file.
        folded_tables: see `tflite_export.score.contents.Contents`.
        custom_operators: see there.
    """

    preset: str
    paper_ratio: float | None
    memory_ratio: float
    folded_tables: tuple[ListedConstant, ...]
    custom_operators: tuple[str, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PresetSize:
    """Parameters of a preset.

    Attributes:
        parameters: here.
        paper_parameters: of a transducer of this size in Gulati et al. (2020), rounded there;
            None for a CTC model.
        deviation: own over theirs, minus one; None for a CTC model.
    """

    parameters: int
    paper_parameters: float | None = None
    deviation: float | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class ScaleResults(Provenance):
    """What `tflite-export scale` writes.

    Attributes:
        model: `ctc` or `transducer`.
        vocabulary: word pieces.
        audio_seconds: of the utterance that is timed.
        labels_per_second: of speech, which sets how often a transducer predicts and joins; None
            for a CTC model.
        labels_of: what they were measured on, in words; None if they were not.
        presets: by name.
        rows: one for each file.
        targets: what was promised of them.
    """

    model: str
    vocabulary: int
    audio_seconds: float
    labels_per_second: float | None
    labels_of: str | None = None
    presets: dict[str, PresetSize]
    rows: tuple[ScaleRow, ...]
    targets: tuple[Row, ...] = ()


def targets(rows: Sequence[ScaleRow]) -> tuple[Row, ...]:
    """What was promised of the sizes of transducers."""
    name = "L transducer, 2 bits in all layers but the output: times smaller than float32"
    return tuple(
        at_least(name, row.ratio, LEAST_RATIO)
        for row in rows
        if (row.preset, row.precision) == ("L", ALL_TWO_BITS) and row.predict_ms is not None
    )
