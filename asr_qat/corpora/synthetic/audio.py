"""The recordings of the synthetic corpus: what espeak-ng says, at some distance, in noise."""

import numpy as np
import soxr

SAMPLE_RATE = 16000
SILENCE_S = (0.1, 0.4)  # before and after the speech
PEAK_DB = (-20.0, -3.0)  # of full scale
SNR_DB = (15.0, 30.0)


def record(speech: np.ndarray, rate: int, seed: tuple[int, ...]) -> np.ndarray:
    """A recording of `speech` with silence around it, pink noise and another level.

    Args:
        speech: float samples `[samples]`.
        rate: their sample rate.
        seed: of the chances of this recording.

    Returns:
        float32 samples at `SAMPLE_RATE` in [-1, 1].
    """
    chance = np.random.default_rng(seed)
    before, after = (round(s * SAMPLE_RATE) for s in chance.uniform(*SILENCE_S, size=2))
    speech = soxr.resample(speech.astype(np.float32), rate, SAMPLE_RATE)
    level = np.sqrt(np.mean(speech**2))
    audio = np.pad(speech, (before, after))
    audio = audio + _pink(len(audio), chance) * level * 10 ** (-chance.uniform(*SNR_DB) / 20)
    peak = 10 ** (chance.uniform(*PEAK_DB) / 20)
    return (audio * peak / np.max(np.abs(audio))).astype(np.float32)


def _pink(samples: int, chance: np.random.Generator) -> np.ndarray:
    """Noise with the same power in every octave, of power 1."""
    size = 1 << (samples - 1).bit_length()  # of a fast transform
    spectrum = np.fft.rfft(chance.standard_normal(size))
    spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
    noise = np.fft.irfft(spectrum)[:samples]
    return noise / np.sqrt(np.mean(noise**2))
