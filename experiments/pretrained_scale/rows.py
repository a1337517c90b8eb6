"""What `python -m experiments.pretrained_scale` finds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.targets import Row, at_least, at_most

RATIO = 7.5  # times smaller than float32
MOST_MB = {"w4a8": 330.0, "two_bit": 190.0}  # of the network of 0.6 B parameters
EXPORT_SECONDS, EXPORT_MB = 600.0, 8 * 1024.0
SHARE_OF_BEFORE = 1 / 3  # of time and memory of a conversion
RTF = 0.06
TIMES_FASTER = {"int8": 1.7, "int4": 3.0}  # than ONNX Runtime with such weights
SHARE_OF_START = 1 / 5  # of ONNX Runtime's
SHARE_ANONYMOUS, SHARE_PEAK = 0.6, 2.1  # of the file's bytes
LARGEST = 5e8  # parameters from which on the bars of 0.6 B hold


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileRow:
    """A whole file and its export in a process of its own.

    Attributes:
        network: in words.
        precision: by name.
        parameters: of the Keras model.
        bytes: of the file.
        ratio: how many times smaller than the parameters in float32.
        export_seconds: with Python's start and the reading of the weights.
        export_peak_mb: peak memory, MB (2^20).
    """

    network: str
    precision: str
    parameters: int
    bytes: int
    ratio: float
    export_seconds: float
    export_peak_mb: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class BeforeRow:
    """Conversions of a preset by an earlier commit and by this one, in turn.

    Attributes:
        preset: of a CTC model with initial weights.
        precision: by name.
        commit: the earlier one.
        before_seconds: of each round.
        seconds: of each round, by this code.
        before_peak_mb: the most of all rounds, MB (2^20).
        peak_mb: the same by this code.
        time_ratio: median over the rounds of this code's share of the time before.
        memory_ratio: this code's share of the memory before.
    """

    preset: str
    precision: str
    commit: str
    before_seconds: tuple[float, ...]
    seconds: tuple[float, ...]
    before_peak_mb: float
    peak_mb: float
    time_ratio: float
    memory_ratio: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeedRow:
    """One of the files that encode the same audio in turn, one thread each.

    Attributes:
        runtime: `LiteRT` or `ONNX Runtime`.
        weights: `int4`, `2-bit`, `int8`.
        mb: of the file, MB (10^6).
        cpu_ms: median.
        rtf: of the median.
        slower: median over the rounds of its time as a multiple of that of the first file.
    """

    runtime: str
    weights: str
    mb: float
    cpu_ms: float
    rtf: float
    slower: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class StartRow:
    """Loading and the first run, in a fresh process.

    Attributes:
        runtime: `LiteRT`, `LiteRT, weight cache` (that is there already), or `ONNX Runtime`.
        weights: as of `SpeedRow`.
        mb: of the file, MB (10^6).
        first_ms: median of several processes.
        anonymous_mb: memory that no file backs, more than before loading, MB (10^6).
        peak_mb: peak of all memory, with Python, MB (10^6).
        of_file: `anonymous_mb` and `peak_mb` as shares of the file.
    """

    runtime: str
    weights: str
    mb: float
    first_ms: float
    anonymous_mb: float
    peak_mb: float
    of_file: tuple[float, float]


@dataclasses.dataclass(frozen=True, kw_only=True)
class PretrainedScaleResults(Provenance):
    """Whole networks of published sizes, with random weights.

    Attributes:
        files: bytes and export.
        before: exports by earlier code beside this one's.
        speed_network: whose encoder is timed, for as much audio.
        audio_seconds: of it.
        speed: the files in turn.
        start: loading of the same files.
        targets: what was promised of all these.
    """

    files: tuple[FileRow, ...] = ()
    before: tuple[BeforeRow, ...] = ()
    speed_network: str = ""
    audio_seconds: float = 0.0
    speed: tuple[SpeedRow, ...] = ()
    start: tuple[StartRow, ...] = ()
    targets: tuple[Row, ...] = ()


def targets(found: PretrainedScaleResults) -> tuple[Row, ...]:
    """What was promised, of all rows that are there."""
    return (
        *(row for file in found.files for row in _of_file(file)),
        *(row for before in found.before for row in _of_before(before)),
        *_of_speed(found.speed),
        *_of_start(found.start),
    )


def _of_file(file: FileRow) -> list[Row]:
    name, large = f"{file.network}, {file.precision}", file.parameters > LARGEST
    rows = []
    if file.precision == "w4a8":
        rows.append(at_least(f"{name}: times smaller than float32", file.ratio, RATIO))
    if large:
        most = MOST_MB[file.precision]
        rows.append(at_most(f"{name}: MB", file.bytes / 1e6, most))
        rows.append(at_most(f"{name}: seconds of export", file.export_seconds, EXPORT_SECONDS))
        rows.append(at_most(f"{name}: peak MB of export", file.export_peak_mb, EXPORT_MB))
    return rows


def _of_before(row: BeforeRow) -> list[Row]:
    name = f"{row.preset}, {row.precision}: share of the {{}} of export before"
    return [
        at_most(name.format("time"), row.time_ratio, SHARE_OF_BEFORE),
        at_most(name.format("memory"), row.memory_ratio, SHARE_OF_BEFORE),
    ]


def _of_speed(rows: tuple[SpeedRow, ...]) -> list[Row]:
    found = []
    for row in rows:
        if row.runtime == "LiteRT" and row.weights == "int4":
            found.append(at_most("0.6 B int4, 10 s: real-time factor", row.rtf, RTF))
        if row.runtime == "ONNX Runtime":
            name = f"0.6 B int4: times as fast as ONNX Runtime's {row.weights}"
            found.append(at_least(name, row.slower, TIMES_FASTER[row.weights]))
    return found


def _of_start(rows: tuple[StartRow, ...]) -> list[Row]:
    peer = [row.first_ms for row in rows if (row.runtime, row.weights) == ("ONNX Runtime", "int8")]
    found = []
    for row in rows:
        if not row.runtime.startswith("LiteRT") or row.weights != "int4":
            continue
        name = f"0.6 B int4, {row.runtime}"
        if peer:
            share = row.first_ms / peer[0]
            name_of_share = f"{name}: share of ONNX Runtime's first run after loading"
            found.append(at_most(name_of_share, share, SHARE_OF_START))
        if row.runtime != "LiteRT":
            anonymous, peak = row.of_file
            found.append(at_most(f"{name}: anonymous memory to file", anonymous, SHARE_ANONYMOUS))
            found.append(at_most(f"{name}: peak memory to file", peak, SHARE_PEAK))
    return found
