"""What `python -m experiments.two_bit_speed` finds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.targets import Row, at_least, equal

FASTEST_SHARE = 0.97  # of a 4-bit file's speed
FOUR_BITS = "4 bits"


@dataclasses.dataclass(frozen=True, kw_only=True)
class FileRow:
    """A file as LiteRT runs it, one thread.

    Attributes:
        weights: `4 bits`, `2 bits`, or `2 bits, widened to 4`.
        mb: of the file, MB (10^6).
        cpu_ms: CPU time of one run of the encoder, median.
        speed: as a share of the 4-bit file's, median over the rounds.
        load_ms: until the file is loaded, median of several processes.
        first_ms: until the first run is over, too.
        anonymous_mb: memory that no file backs, more than before loading, MB (10^6).
        peak_mb: peak of all memory, with Python, MB (10^6).
        identical: whether its outputs are those of the 2-bit file as it is, to the bit; None for
            another file and for that itself.
    """

    weights: str
    mb: float
    cpu_ms: float
    speed: float
    load_ms: float
    first_ms: float
    anonymous_mb: float
    peak_mb: float
    identical: bool | None


@dataclasses.dataclass(frozen=True, kw_only=True)
class NetworkRow:
    """The files of one network.

    Attributes:
        preset: of a CTC model with initial weights.
        parameters: of it.
        files: the 4-bit one first.
    """

    preset: str
    parameters: int
    files: tuple[FileRow, ...]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TwoBitSpeedResults(Provenance):
    """2-bit files of several networks beside their 4-bit ones.

    Attributes:
        audio_seconds: that a run encodes.
        rounds: timed runs of each file, in turn.
        automatic: what `widen="auto"` makes of 2-bit weights on this machine, bits.
        networks: one after the other.
        targets: what was promised.
    """

    audio_seconds: float
    rounds: int
    automatic: int
    networks: tuple[NetworkRow, ...]
    targets: tuple[Row, ...] = ()


def targets(found: TwoBitSpeedResults) -> tuple[Row, ...]:
    """What was promised of the width that is chosen on this machine, and of all."""
    rows: list[Row] = []
    for network in found.networks:
        for file in network.files:
            if file.weights == widened_to(found.automatic):
                name = f"{network.preset}: share of the 4-bit file's speed, {file.weights}"
                rows.append(at_least(name, file.speed, FASTEST_SHARE))
            if file.identical is not None:
                name = f"{network.preset}: outputs of {file.weights} are the same to the bit"
                rows.append(equal(name, file.identical, True))
    return tuple(rows)


def widened_to(bits: int) -> str:
    """How a 2-bit file is called that is run at a width."""
    return "2 bits" if bits == 2 else f"2 bits, widened to {bits}"
