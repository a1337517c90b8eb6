"""The log-mel front end of audio that arrives in pieces, in numpy."""

import numpy as np

from asr_qat.audio.front_end import FrontEndConfig, log_mel_after
from asr_qat.errors import require


class StreamingLogMel:
    """Features of a stream of audio, in blocks of a fixed number of frames.

    Between calls it keeps the running level, and the samples that windows to come begin with:
    fewer than those of one block, whatever the length of the stream.

    However the audio is cut, the features are the same bit by bit, since every block is computed
    alone. They are those of `log_mel` on the whole recording up to 1e-6 of their logarithms: BLAS
    adds up the bins of a filter in an order that depends on how many frames it sees at once.

    Args:
        config: the front end.
        block: feature frames that come out together.

    Raises:
        UserError: a front end that needs the whole recording, or a block without frames.
    """

    def __init__(self, config: FrontEndConfig, block: int):
        require(block >= 1, f"block is {block}: at least 1 frame")
        config.require_streaming()
        self._config = config
        self._step = block * config.hop_length
        self._needed = self._step - config.hop_length + config.frame_length
        self._pending = np.zeros(0, np.float32)
        self._level = 0.0
        self._gap = 0  # samples to come that no window sees, where windows do not overlap

    def accept(self, audio: np.ndarray) -> np.ndarray:
        """Take audio, float32 `[samples]` in [-1, 1); give whole blocks `[frames, mel_bins]`."""
        samples = np.concatenate([self._pending, np.asarray(audio[self._gap :], np.float32)])
        self._gap -= min(self._gap, len(audio))
        blocks = max(0, 1 + (len(samples) - self._needed) // self._step)
        starts = range(0, blocks * self._step, self._step)
        self._pending = samples[blocks * self._step :].copy()
        self._gap += max(0, blocks * self._step - len(samples))
        empty = np.zeros((0, self._config.mel_bins), np.float32)
        found = [self._block(samples[start : start + self._needed]) for start in starts]
        return np.concatenate([empty, *found])

    def flush(self) -> np.ndarray:
        """The frames of the last, incomplete block `[frames, mel_bins]`; a new stream begins."""
        rest, self._pending, self._gap = self._pending, np.zeros(0, np.float32), 0
        last, self._level = self._block(rest), 0.0
        return last

    def _block(self, samples: np.ndarray) -> np.ndarray:
        features, self._level = log_mel_after(samples, self._config, self._level)
        return features
