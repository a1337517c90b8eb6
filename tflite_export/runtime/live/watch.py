"""Notices about the audio and the machine: silence, clipping, late chunks."""

import numpy as np

from asr_qat.arrays import Array
from tflite_export.runtime.live.events import Notice

QUIET = 0.001  # of full scale, -60 dB: what a muted or missing microphone stays below
SILENCE_S = 5.0  # seconds of it before it is worth a word
FULL_SCALE = 0.999
CLIPPED = 0.001  # share of the samples of a second
LATE_INTERVAL_S = 5.0  # of audio between notices about late chunks


class Watch:
    """Looks at every chunk of one stream; keeps a few numbers.

    Silence is reported once until there is sound again, clipping once until a second without.

    Args:
        sample_rate: samples per second.
        frame_s: seconds of a frame of the encoder, the least that is processed.
    """

    def __init__(self, sample_rate: int, frame_s: float):
        self._rate, self._frame_s = sample_rate, frame_s
        self._samples = 0
        self._quiet = 0  # samples since the last sound
        self._silent = False
        self._second = np.zeros(2, int)  # samples, and those at full scale
        self._clipping = False
        self._late = 0  # chunks
        self._late_said_s = -LATE_INTERVAL_S

    @property
    def heard_s(self) -> float:
        """Seconds of audio so far."""
        return round(self._samples / self._rate, 3)

    def hear(self, audio: Array) -> list[Notice]:
        """Look at a chunk, float32 `[samples]`."""
        self._samples += len(audio)
        level = np.abs(audio)
        return self._silence(level) + self._clipped(level)

    def _silence(self, level: Array) -> list[Notice]:
        loud = np.flatnonzero(level >= QUIET)
        if len(loud):
            self._quiet, self._silent = len(level) - 1 - int(loud[-1]), False
        else:
            self._quiet += len(level)
        if self._silent or self._quiet < SILENCE_S * self._rate:
            return []
        self._silent = True
        seconds = round(self._quiet / self._rate, 1)
        text = f"nothing but silence for {seconds} s: is the source muted?"
        return [Notice("silence", self.heard_s, seconds, text)]

    def _clipped(self, level: Array) -> list[Notice]:
        self._second += [len(level), np.count_nonzero(level >= FULL_SCALE)]
        samples, full = self._second
        if samples < self._rate:
            return []
        self._second[:] = 0
        share = round(float(full / samples), 4)
        before, self._clipping = self._clipping, share >= CLIPPED
        if before or not self._clipping:
            return []
        text = f"{share:.1%} of the samples are at full scale: turn the source down"
        return [Notice("clipping", self.heard_s, share, text)]

    def processed(self, took_s: float, lasted_s: float) -> list[Notice]:
        """Compare the time that a chunk took with the time that it lasted, at least a frame.

        A chunk without audio is none.
        """
        self._late += bool(lasted_s and took_s > max(lasted_s, self._frame_s))
        return self.late() if self.heard_s - self._late_said_s >= LATE_INTERVAL_S else []

    def late(self) -> list[Notice]:
        """The late chunks that were not reported yet."""
        if not self._late:
            return []
        count, self._late, self._late_said_s = self._late, 0, self.heard_s
        text = f"{count} chunk{'s' if count > 1 else ''} took longer to process than to speak"
        return [Notice("late", self.heard_s, count, text)]
