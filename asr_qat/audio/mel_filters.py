"""The window and the mel filters of a front end: constants in numpy."""

import functools
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from asr_qat.audio.front_end import FrontEndConfig


@functools.lru_cache
def window(config: "FrontEndConfig") -> np.ndarray:
    """Hann window, float32 `[frame_length]`."""
    n, last = np.arange(config.frame_length), config.frame_length
    if config.window == "symmetric":
        last -= 1
    return (0.5 - 0.5 * np.cos(2 * np.pi * n / last)).astype(np.float32)


@functools.lru_cache
def mel_matrix(config: "FrontEndConfig") -> np.ndarray:
    """Triangular filters, float32 `[fft_length // 2 + 1, mel_bins]`.

    Those of the HTK scale are triangles in mel, of height 1; those of Slaney's Auditory Toolbox
    triangles in Hz, of area 1.
    """
    bins = np.linspace(0, config.sample_rate / 2, config.fft_length // 2 + 1)[:, None]
    if config.mel_scale == "htk":
        bins = _htk_mel(bins)
        edges = np.linspace(_htk_mel(config.low_hz), _htk_mel(config.high_hz), config.mel_bins + 2)
        height: np.ndarray | float = 1.0
    else:
        low, high = _slaney_mel(config.low_hz), _slaney_mel(config.high_hz)
        edges = _slaney_hz(np.linspace(low, high, config.mel_bins + 2))
        height = 2 / (edges[2:] - edges[:-2])
    lower, centre, upper = edges[:-2], edges[1:-1], edges[2:]
    rising = (bins - lower) / (centre - lower)
    falling = (upper - bins) / (upper - centre)
    filters = np.maximum(0.0, np.minimum(rising, falling)) * height
    filters[0] = 0.0  # the constant offset of the recording carries no speech
    return filters.astype(np.float32)


def _htk_mel(hz: np.ndarray | float) -> np.ndarray:
    return 1127.0 * np.log1p(np.asarray(hz) / 700.0)


# Slaney's scale: 3 mel in 200 Hz up to 1 kHz, above it 27 mel in each factor of 6.4.
_KNEE_HZ, _KNEE_MEL, _HZ_PER_MEL, _LOG_STEP = 1000.0, 15.0, 200 / 3, math.log(6.4) / 27


def _slaney_mel(hz: float) -> float:
    if hz < _KNEE_HZ:
        return hz / _HZ_PER_MEL
    return _KNEE_MEL + math.log(hz / _KNEE_HZ) / _LOG_STEP


def _slaney_hz(mel: np.ndarray) -> np.ndarray:
    above = _KNEE_HZ * np.exp(_LOG_STEP * (mel - _KNEE_MEL))
    return np.where(mel < _KNEE_MEL, mel * _HZ_PER_MEL, above)
