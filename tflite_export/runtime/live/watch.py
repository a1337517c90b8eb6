"""Notices about the audio and the machine: silence, clipping, no numbers, late chunks."""

import numpy as np

from asr_qat.arrays import Array
from tflite_export.runtime.live.events import Notice

QUIET = 0.001  # of full scale, -60 dB: what a muted or missing microphone stays below
SILENCE_S = 5.0  # seconds of it before it is worth a word
FULL_SCALE = 0.999
CLIPPED = 0.001  # share of the samples of a second
INTERVAL_S = 5.0  # of audio between notices about late chunks, and about what is no number
LOUDEST = 2.0**15  # of a sample: integers of 16 bits that nobody scaled; what is beyond is damage


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
        self._late_said_s = self._invalid_said_s = -INTERVAL_S
        self._invalid = 0  # samples

    @property
    def heard_s(self) -> float:
        """Seconds of audio so far."""
        return round(self._samples / self._rate, 3)

    def hear(self, audio: Array) -> tuple[Array, list[Notice]]:
        """Look at a chunk, float32 `[samples]`.

        Returns:
            The chunk, with silence for what is no number or beyond any level: one such sample
            would be in all that the model remembers.
        """
        self._samples += len(audio)
        level = np.abs(audio)
        valid = level <= LOUDEST  # not so of NaN
        if not valid.all():
            self._invalid += len(audio) - np.count_nonzero(valid)
            audio, level = np.where(valid, audio, 0), np.where(valid, level, 0)
        return audio, self._silence(level) + self._clipped(level) + self._no_numbers()

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
        return self.late() if self.heard_s - self._late_said_s >= INTERVAL_S else []

    def rest(self) -> list[Notice]:
        """What was not reported yet; for the end of the stream."""
        return self._no_numbers(at_once=True) + self.late()

    def _no_numbers(self, at_once: bool = False) -> list[Notice]:
        soon = self.heard_s - self._invalid_said_s < INTERVAL_S
        if not self._invalid or (soon and not at_once):
            return []
        count, self._invalid, self._invalid_said_s = self._invalid, 0, self.heard_s
        which = "sample is" if count == 1 else "samples are"
        text = f"{count} {which} no number, or beyond any level: taken as silence"
        return [Notice("invalid", self.heard_s, count, text)]

    def late(self) -> list[Notice]:
        """The late chunks that were not reported yet."""
        if not self._late:
            return []
        count, self._late, self._late_said_s = self._late, 0, self.heard_s
        text = f"{count} chunk{'s' if count > 1 else ''} took longer to process than to speak"
        return [Notice("late", self.heard_s, count, text)]
