"""What `python -m experiments.peers` finds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.pretrained_scale.rows import StartRow
from experiments.targets import Row, at_least

LITERT, ONNX_RUNTIME, OPENVINO = "LiteRT", "ONNX Runtime", "OpenVINO"
INT4, TWO_BITS, WIDENED = "int4", "int2", "int2, widened to 4"
TIMES_FASTER = {"int8": 1.8, "int4": 3.0}  # int4 in LiteRT than ONNX Runtime with such weights
SHARE_OF_INT4 = 0.97  # of its speed, of 2-bit weights that are widened
LARGEST = 1e8  # parameters from which on the bars hold


@dataclasses.dataclass(frozen=True, kw_only=True)
class SpeedRow:
    """One of the files that encode the same audio in turn.

    Attributes:
        runtime: `LiteRT`, `ONNX Runtime` or `OpenVINO`.
        weights: `float`, `int8`, `int4`, `int2`, `int2, widened to 4`.
        file: `.tflite`, or `.onnx` from NeMo's exporter.
        threads: of a run.
        mb: of the file, MB (10^6).
        cpu_ms: CPU time of a run, median.
        wall_ms: its duration, median.
        times_int4: median over the rounds of its CPU time as a multiple of LiteRT's int4.
    """

    runtime: str
    weights: str
    file: str
    threads: int
    mb: float
    cpu_ms: float
    wall_ms: float
    times_int4: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class RefusedRow:
    """A file that a runtime does not run.

    Attributes:
        runtime: that was asked.
        weights: of the file.
        file: its kind.
        message: what it said, one line.
    """

    runtime: str
    weights: str
    file: str
    message: str


@dataclasses.dataclass(frozen=True, kw_only=True)
class OperatorRow:
    """What the operators of a kind take in one run, one thread.

    Attributes:
        runtime: `LiteRT`, where each is timed alone in a file of its own, or `ONNX Runtime`, by
            its profiler.
        weights: of the file.
        operator: its name; in LiteRT with the type of its weights.
        count: in the graph.
        ms: of all together.
    """

    runtime: str
    weights: str
    operator: str
    count: int
    ms: float


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkRow:
    """One network with random weights.

    Attributes:
        name: in words.
        parameters: of it.
        refused: files that do not run.
        speed: the others in turn, once for each number of threads.
        start: loading and the first run of a fresh process, one thread.
        operators: where the time goes.
    """

    name: str
    parameters: int
    refused: tuple[RefusedRow, ...] = ()
    speed: tuple[SpeedRow, ...] = ()
    start: tuple[StartRow, ...] = ()
    operators: tuple[OperatorRow, ...] = ()


@dataclasses.dataclass(frozen=True, kw_only=True)
class PeersResults(Provenance):
    """Networks in several runtimes.

    Attributes:
        audio_seconds: that a run encodes.
        rounds: timed runs of each file.
        peers: versions of the other runtimes, by name.
        networks: one after the other.
        targets: what was promised.
    """

    audio_seconds: float
    rounds: int
    peers: dict[str, str]
    networks: tuple[NetworkRow, ...]
    targets: tuple[Row, ...] = ()

    def with_targets(self) -> "PeersResults":
        """The same with what was promised of the large networks."""
        found = [
            row
            for network in self.networks
            if network.parameters > LARGEST
            for row in _targets(network)
        ]
        return dataclasses.replace(self, targets=tuple(found))


def _targets(network: NetworkRow) -> list[Row]:
    rows = []
    for row in network.speed:
        name = f"{network.name}, {row.threads} thread{'s' if row.threads > 1 else ''}"
        if row.runtime == ONNX_RUNTIME and row.weights in TIMES_FASTER:
            words = f"{name}: int4 times as fast as ONNX Runtime's {row.weights}"
            rows.append(at_least(words, row.times_int4, TIMES_FASTER[row.weights]))
        if row.runtime == LITERT and row.weights == WIDENED:
            words = f"{name}: share of int4's speed, {row.weights}"
            rows.append(at_least(words, 1 / row.times_int4, SHARE_OF_INT4))
    return rows
