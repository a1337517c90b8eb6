"""Noise, and how much of it is added to speech: the one definition, for training and scoring.

The ratio is that of the plain powers, the means of squares over the whole utterance, pauses
included, as in Kaldi's `wav-reverberate` and `augment_data_dir.py`. By the level of active speech
(ITU-T P.56) the same mixture has a higher ratio, by what the pauses take.
"""

import numpy as np

WHITE, PINK = 0.0, 0.5  # by which powers of the frequency the amplitude falls
LOWEST_HZ = 20.0  # of coloured noise: without it, most of pink noise would be too low to be heard


def noise_scale(speech_power, noise_power, snr_db):
    """What noise is multiplied by before it is added; of numbers, arrays or tensors.

    Args:
        speech_power: mean square of the speech; where it is 0, so is the scale.
        noise_power: mean square of the noise, above 0.
        snr_db: ratio of the first to the second in the mixture, dB.
    """
    return (speech_power / 10 ** (snr_db / 10) / noise_power) ** 0.5


def power(audio: np.ndarray) -> float:
    """Mean square of samples."""
    return float(np.mean(np.square(audio, dtype=np.float64)))


def mixed(speech: np.ndarray, noise: np.ndarray, snr_db: float) -> np.ndarray:
    """Speech in noise. It may exceed full scale: nothing is clipped, which would add noise.

    Args:
        speech: float32 `[samples]`.
        noise: float `[samples]`, not silent.
        snr_db: see `noise_scale`.

    Returns:
        float32 `[samples]`.
    """
    scale = noise_scale(power(speech), power(noise), snr_db)
    return (speech + scale * noise).astype(np.float32)


def coloured(samples: int, sample_rate: int, falls: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian noise whose amplitude falls with the frequency, from `LOWEST_HZ` up.

    Args:
        samples: how many.
        sample_rate: samples per second.
        falls: to which power: `WHITE`; `PINK`, the same power in every octave.
        rng: what is drawn from.

    Returns:
        float64 `[samples]`, without offset.
    """
    # One second at least: in less, a lowest frequency means nothing.
    spectrum = np.fft.rfft(rng.standard_normal(max(samples, sample_rate)))
    hertz = np.fft.rfftfreq(max(samples, sample_rate), 1 / sample_rate)
    spectrum *= np.where(hertz < LOWEST_HZ, 0, np.maximum(hertz, LOWEST_HZ) ** -falls)
    return np.fft.irfft(spectrum, max(samples, sample_rate))[:samples]


def part_of(recording: np.ndarray, samples: int, rng: np.random.Generator) -> np.ndarray:
    """So many samples of a recording from a random place on, over again if it is shorter.

    Args:
        recording: `[samples]`, one or more.
        samples: how many are wanted.
        rng: what is drawn from.

    Returns:
        `[samples]` without their mean: an offset is no noise.
    """
    beyond = len(recording) - samples
    first = int(rng.integers(beyond + 1 if beyond >= 0 else len(recording)))
    part = np.take(recording, np.arange(first, first + samples), mode="wrap").astype(np.float64)
    return part - part.mean() if samples else part
