"""What `results/server_capacity.json` holds."""

import dataclasses

from asr_qat.provenance import Provenance
from experiments.live.rough_clients import Deeds
from experiments.targets import Row, at_least, at_most
from tflite_export.score.rows import Times

STREAMS = {1: 24, 2: 44}  # by cores: so many are to be in time
WAIT_S = 2.0  # for a place, at most
GROWTH_MB = 5.0


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamsRow:
    """So many streams at the pace of speech, beside hostile clients.

    Attributes:
        cores: that the server, these clients and the hostile ones share.
        workers: of the server.
        streams: at the same time.
        answer_ms: to messages with words, from when the last chunk that was heard was due.
        chunk_ms_p95: no more than this for 95% of the chunks, from their arrival at the server to
            their words, as fine as the server counts; those that come faster than speech are not
            in it.
        late_chunks: share of the chunks that took longer than they last.
        complete: streams that ended in good order.
        same_words: streams with the final words of a session alone.
        longest_wait_s: of a stream for its place.
        server_cores: processor time of the server, by the time that passed.
        speakers_cores: the same of these clients.
        hostile_cores: the same of the hostile ones.
        memory_mb: of all processes of the server, at the end.
        hostile: what these did, by kind.
        stolen_s: processor time that the host of a virtual machine gave to others.
    """

    cores: int
    workers: int
    streams: int
    answer_ms: Times
    chunk_ms_p95: float
    late_chunks: float
    complete: int
    same_words: int
    longest_wait_s: float
    server_cores: float
    speakers_cores: float
    hostile_cores: float
    memory_mb: float
    hostile: dict[str, tuple[Deeds, ...]]
    stolen_s: float

    def in_time(self, chunk_ms: float) -> bool:
        """Whether 95% of the chunks were, and nothing was lost."""
        right = self.complete == self.same_words == self.streams
        return right and max(self.answer_ms.p95, self.chunk_ms_p95) <= chunk_ms


@dataclasses.dataclass(frozen=True, kw_only=True)
class WaitRow:
    """A client that wants a place again and again, where others hold all.

    Attributes:
        places: of the server.
        hostile: clients that send a sample every four seconds, and come back at once.
        tries: of the good client.
        longest_wait_s: until it had a place, or was refused.
        lost: places that the others lost.
    """

    places: int
    hostile: int
    tries: int
    longest_wait_s: float
    lost: int


@dataclasses.dataclass(frozen=True, kw_only=True)
class MemoryRow:
    """One session, as fast as it goes.

    Attributes:
        hours: of audio.
        seconds: that it took.
        memory_mb: of the process after each tenth of the audio, the first one the reference.
        commit: of the code that measured it.
    """

    hours: float
    seconds: float
    memory_mb: tuple[float, ...]
    commit: str

    @property
    def growth_mb(self) -> float:
        """The most that there was above the first."""
        return max(self.memory_mb) - self.memory_mb[0]


@dataclasses.dataclass(frozen=True, kw_only=True)
class CapacityResults(Provenance):
    """The live server under load.

    Attributes:
        file: of the model.
        data: name of the recordings.
        chunk_ms: milliseconds of a message.
        seconds: of audio in each stream.
        streams: a row for each number of cores and streams.
        wait: for a place.
        memory: of a session.
        targets: what was promised.
    """

    file: str
    data: str
    chunk_ms: int
    seconds: float
    streams: tuple[StreamsRow, ...]
    wait: WaitRow
    memory: MemoryRow
    targets: tuple[Row, ...] = ()

    def most_in_time(self, cores: int) -> int:
        """The largest number of streams in time, all smaller ones being so."""
        most = 0
        for row in (row for row in self.streams if row.cores == cores):
            if not row.in_time(self.chunk_ms):
                break
            most = row.streams
        return most

    def with_targets(self) -> "CapacityResults":
        """The same with `targets` of all rows."""
        rows = [
            at_least(f"streams in time, cores: {cores}", self.most_in_time(cores), STREAMS[cores])
            for cores in sorted({row.cores for row in self.streams} & STREAMS.keys())
        ]
        waits = [self.wait.longest_wait_s, *(row.longest_wait_s for row in self._promised())]
        rows.append(at_most("longest wait of a good client for a place, s", max(waits), WAIT_S))
        hours = f"{self.memory.hours:g}"
        growth = self.memory.growth_mb
        rows.append(at_most(f"growth over {hours} hours in a session, MB", growth, GROWTH_MB))
        return dataclasses.replace(self, targets=tuple(rows))

    def _promised(self) -> list[StreamsRow]:
        """Rows of as many streams as were in time."""
        return [row for row in self.streams if row.streams <= self.most_in_time(row.cores)]
