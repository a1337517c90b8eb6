"""What `results/threads.json` holds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.targets import Row, at_most, equal, without_target

MOST_CHECKSUM_MS = 60.0  # of a file of `CHECKSUM_MB`
CHECKSUM_MB = 60


@dataclasses.dataclass(frozen=True)
class ThreadsRow:
    """Calls of one recogniser by threads.

    Attributes:
        name: the file, without suffix.
        kind: of the model.
        threads: that call it.
        parallel: calls at the same time, see `TFLiteRecogniser`.
        calls: of all threads together, each for the text of a recording.
        wrong: texts that are not those of the same recording in one thread.
        calls_per_s: of all threads together.
        over_one_thread: the same, over that of one thread with one interpreter.
        resident_mb: memory of the process afterwards, MB (2^20).
    """

    name: str
    kind: str
    threads: int
    parallel: int
    calls: int
    wrong: int
    calls_per_s: float
    over_one_thread: float
    resident_mb: float


@dataclasses.dataclass(frozen=True)
class LoadRow:
    """Loading a file with its checksum compared and without, in turn; medians.

    Attributes:
        mb: of the file, MB (10^6).
        rounds: how often each.
        verified_ms: milliseconds with.
        skipped_ms: without.
    """

    mb: float
    rounds: int
    verified_ms: float
    skipped_ms: float

    @property
    def checksum_ms(self) -> float:
        """What the checksum takes."""
        return self.verified_ms - self.skipped_ms


@dataclasses.dataclass(frozen=True, kw_only=True)
class ThreadsResults(Provenance):
    """One recogniser in many threads, and how long its checksum takes.

    Attributes:
        data: name of the recordings.
        recordings: how many.
        audio_seconds: of one of them, on average.
        rows: calls by threads.
        loads: a row for each size of a file.
        targets: what was promised of them.
    """

    data: str
    recordings: int
    audio_seconds: float
    rows: tuple[ThreadsRow, ...]
    loads: tuple[LoadRow, ...]
    targets: tuple[Row, ...] = ()

    def with_targets(self) -> "ThreadsResults":
        """The same with `targets` of all rows."""
        found = []
        for row in self.rows:
            if row.threads > 1:
                name = f"{row.name}: {row.calls} calls by {row.threads} threads, {row.parallel}"
                found.append(equal(f"{name} at a time: wrong texts", row.wrong, 0))
                over = f"{name} at a time: calls a second over one thread"
                found.append(without_target(over, row.over_one_thread))
        for load in self.loads:
            name = f"checksum of {load.mb:.0f} MB, ms"
            if round(load.mb) == CHECKSUM_MB:
                found.append(at_most(name, load.checksum_ms, MOST_CHECKSUM_MS))
            else:
                found.append(without_target(name, load.checksum_ms))
        return dataclasses.replace(self, targets=tuple(found))
