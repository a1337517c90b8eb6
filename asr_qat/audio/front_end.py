"""The log-mel front end: its parameters, its constants and its numpy form.

This module is the one definition. `asr_qat.audio.log_mel` runs the same constants in
TensorFlow for training; devices use the numpy form below and need no TensorFlow.
"""

import dataclasses
import functools
import math

import numpy as np

from asr_qat.errors import require

LOG_FLOOR = 1e-6  # added to the mel energies of audio in [-1, 1) before the logarithm
HALVINGS = 2  # of the time axis by an encoder that subsamples by 4


@dataclasses.dataclass(frozen=True)
class FrontEndConfig:
    """Parameters of the log-mel front end.

    Attributes:
        sample_rate: samples per second of the audio.
        frame_ms: length of one analysis window in milliseconds.
        hop_ms: distance between windows in milliseconds.
        mel_bins: number of features per frame.
        low_hz: lower edge of the first mel filter.
        high_hz: upper edge of the last mel filter.
    """

    sample_rate: int = 16000
    frame_ms: float = 25.0
    hop_ms: float = 10.0
    mel_bins: int = 80
    low_hz: float = 20.0
    high_hz: float = 7600.0

    def __post_init__(self) -> None:
        """Raise `UserError` for a front end that cannot be computed."""
        require(self.sample_rate >= 1, f"sample_rate: {self.sample_rate} is less than 1")
        for name in ("frame_ms", "hop_ms"):
            value = getattr(self, name)
            fits = 0 < value < math.inf and round(self.sample_rate * value / 1000) >= 1
            require(fits, f"{name}: {value} is less than one sample at {self.sample_rate} Hz")
        require(self.mel_bins >= 1, f"mel_bins: {self.mel_bins} is less than 1")
        low, high, half = self.low_hz, self.high_hz, self.sample_rate / 2
        require(0 <= low < high, f"low_hz: {low} is not from 0 to below high_hz {high}")
        require(high <= half, f"high_hz: {high} is above half the sample_rate, {half}")

    @property
    def frame_length(self) -> int:
        """Samples in one analysis window."""
        return round(self.sample_rate * self.frame_ms / 1000)

    @property
    def hop_length(self) -> int:
        """Samples between the starts of neighbouring windows."""
        return round(self.sample_rate * self.hop_ms / 1000)

    @property
    def fft_length(self) -> int:
        """The power of two that holds one window."""
        return 1 << (self.frame_length - 1).bit_length()

    def frames(self, samples: int) -> int:
        """Feature frames computed from `samples` samples (no padding at the ends)."""
        return max(0, 1 + (samples - self.frame_length) // self.hop_length)


@functools.lru_cache
def window(config: FrontEndConfig) -> np.ndarray:
    """Periodic Hann window, float32 `[frame_length]`."""
    n = np.arange(config.frame_length)
    return (0.5 - 0.5 * np.cos(2 * np.pi * n / config.frame_length)).astype(np.float32)


@functools.lru_cache
def mel_matrix(config: FrontEndConfig) -> np.ndarray:
    """Triangular filters on the HTK mel scale, float32 `[fft_length // 2 + 1, mel_bins]`."""

    def to_mel(hz: np.ndarray | float) -> np.ndarray:
        return 1127.0 * np.log1p(np.asarray(hz) / 700.0)

    bins = to_mel(np.linspace(0, config.sample_rate / 2, config.fft_length // 2 + 1))[:, None]
    edges = np.linspace(to_mel(config.low_hz), to_mel(config.high_hz), config.mel_bins + 2)
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins - lower) / (centre - lower)
    falling = (upper - bins) / (upper - centre)
    filters = np.maximum(0.0, np.minimum(rising, falling))
    filters[0] = 0.0  # the constant offset of the recording carries no speech
    return filters.astype(np.float32)


def log_mel(audio: np.ndarray, config: FrontEndConfig) -> np.ndarray:
    """Natural logarithm of mel power energies.

    Args:
        audio: float32 `[samples]` in [-1, 1).
        config: the front end.

    Returns:
        float32 `[frames, mel_bins]`; no frames for audio shorter than one window.
    """
    if len(audio) < config.frame_length:
        return np.zeros((0, config.mel_bins), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(audio, config.frame_length)
    frames = frames[:: config.hop_length] * window(config)
    spectrum = np.fft.rfft(frames, config.fft_length)
    power = (spectrum.real**2 + spectrum.imag**2).astype(np.float32)
    return np.log(power @ mel_matrix(config) + LOG_FLOOR).astype(np.float32)


def normalize(features: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Features `[frames, mel_bins]` at zero mean and unit deviation of the training corpus."""
    return ((features - mean) / std).astype(np.float32)


def subsampled_length(length, halvings: int = HALVINGS):
    """Frames left of `length` feature frames when the time axis was halved so many times.

    Each halving is a convolution of kernel 3, stride 2 and padding 1, see
    `EncoderConfig.halvings`. Takes an integer, an array or a tensor.
    """
    for _ in range(halvings):
        length = (length + 1) // 2
    return length
