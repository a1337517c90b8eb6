"""What a server counts, for Prometheus."""

from collections.abc import Callable

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
# Of chunks, around the lengths that they usually have: 40 to 480 ms.
SECONDS = (0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.12, 0.16, 0.24, 0.48, 1.0, 2.0, 5.0)


class Metrics:
    """Counters of one server.

    Attributes:
        begun: streams that had a place.
        ended: streams by the code that they were closed with, 1006 for none; other ones together.
        refused: requests and streams that were not served, by reason.
        chunks: messages of audio that were recognised.
        late: those that took longer, from arrival to words, than they last.
        chunk_seconds: what they took, but for those of clients that send faster than speech.
        audio: seconds of it.
    """

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"asr_qat_{name}", text, labels, registry=registry)

        self.begun = counter("streams_begun", "streams that had a place")
        self.ended = counter("streams_ended", "streams by close code", "code")
        self.refused = counter("refused", "requests and streams that were not served", "reason")
        self.chunks = counter("chunks", "messages of audio that were recognised")
        self.late = counter("late_chunks", "messages that took longer than they last")
        self.audio = counter("audio_seconds", "seconds of audio that were recognised")
        self.chunk_seconds = Histogram(
            "asr_qat_chunk_seconds",
            "from the arrival of a message of audio to its words",
            buckets=SECONDS,
            registry=registry,
        )
        self._memory = Gauge(
            "asr_qat_memory_bytes", "resident memory", ["process"], registry=registry
        )

    def gauge(self, name: str, text: str, value: Callable[[], float]) -> None:
        """Add a figure that is asked for when it is read."""
        Gauge(f"asr_qat_{name}", text, registry=self.registry).set_function(value)

    def chunk(self, lasts_s: float, took_s: float, in_time_s: float | None) -> None:
        """A message of audio was recognised.

        Args:
            lasts_s: seconds of audio.
            took_s: from its arrival to its words.
            in_time_s: what that may be; None if it came before it could be spoken: it may wait.
        """
        self.chunks.inc()
        self.audio.inc(lasts_s)
        if in_time_s is not None:
            self.chunk_seconds.observe(took_s)
            if took_s > in_time_s:
                self.late.inc()

    def text(self, processes: dict[int, int]) -> str:
        """In the format of Prometheus; `processes`: of the workers, by number."""
        self._memory.clear()
        self._memory.labels("server").set(psutil.Process().memory_info().rss)
        for number, pid in processes.items():
            try:
                used = psutil.Process(pid).memory_info().rss
            except psutil.Error:  # it ended just now
                continue
            self._memory.labels(f"worker {number}").set(used)
        return generate_latest(self.registry).decode()
