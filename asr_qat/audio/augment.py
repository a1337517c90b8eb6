"""Training-time augmentation: noise, SpecAugment and speed perturbation, in TensorFlow.

Every random choice is a function of a seed that the caller derives from the epoch and the
utterance, so that a resumed training sees the same data. tensorflow-io has masks too, but
they draw from a generator whose state cannot be restored.
"""

import dataclasses
import fractions
import functools
import math

import numpy as np
import tensorflow as tf

from asr_qat.audio.noise import noise_scale
from asr_qat.bounds import require_within
from asr_qat.errors import require

MOST_MASKS = 1000
MOST_WIDTH = 1 << 16  # mel bins
MOST_DB = 200.0  # between speech and noise


@dataclasses.dataclass(frozen=True)
class SpecAugmentConfig:
    """SpecAugment (Park et al., 2019) with adaptive time masks (Park et al., 2020).

    Attributes:
        frequency_masks: number of masks over mel bins.
        frequency_width: bins that one of them covers, at most.
        time_masks: number of masks over frames.
        time_share: what one of them covers, at most, as a share of the utterance.
    """

    frequency_masks: int = 2
    frequency_width: int = 27
    time_masks: int = 10
    time_share: float = 0.05

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        require_within("frequency_masks", self.frequency_masks, 0, MOST_MASKS)
        require_within("frequency_width", self.frequency_width, 0, MOST_WIDTH)
        require_within("time_masks", self.time_masks, 0, MOST_MASKS)
        require(0 <= self.time_share <= 1, f"time_share: {self.time_share} is not from 0 to 1")


@dataclasses.dataclass(frozen=True)
class NoiseConfig:
    """Noise of random colour, from white to brown, that some utterances have.

    Attributes:
        share: of the utterances that have noise.
        snr_db: lowest and highest ratio of the utterance's power to the noise's; each value
            between them is as likely.
    """

    share: float = 0.5
    snr_db: tuple[float, float] = (5.0, 30.0)

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        require(0 <= self.share <= 1, f"share: {self.share} is not from 0 to 1")
        low, high = self.snr_db
        ordered = -math.inf < low <= high < math.inf
        require(ordered, f"snr_db: {low}, {high} are not the lowest and the highest number")
        for value in self.snr_db:
            require_within("snr_db", value, -MOST_DB, MOST_DB)


def add_noise(audio: tf.Tensor, seed: tf.Tensor, config: NoiseConfig) -> tf.Tensor:
    """Add noise whose power falls with the frequency to a random power from 0 to -2.

    Args:
        audio: float32 `[samples]`.
        seed: int64 `[2]`.
        config: how often and how loud.

    Returns:
        float32 `[samples]`.
    """
    chance, colour, share = tf.unstack(tf.random.stateless_uniform([3], seed))

    def noisy():
        samples = tf.shape(audio)[0]
        white = tf.signal.rfft(tf.random.stateless_normal([samples], seed + 1))
        slope = tf.range(1, tf.shape(white)[0] + 1, dtype=tf.float32) ** -colour
        noise = tf.signal.irfft(white * tf.cast(slope, tf.complex64), [samples])
        low, high = config.snr_db
        speech_power, noise_power = (tf.reduce_mean(tf.square(x)) for x in (audio, noise))
        return audio + noise * noise_scale(speech_power, noise_power, low + share * (high - low))

    return tf.cond((chance < config.share) & (tf.shape(audio)[0] > 1), noisy, lambda: audio)


def spec_augment(features: tf.Tensor, seed: tf.Tensor, config: SpecAugmentConfig) -> tf.Tensor:
    """Set random bands of bins and spans of frames to zero, the mean of normalised features.

    Args:
        features: float32 `[frames, mel_bins]`.
        seed: int64 `[2]`.
        config: number and size of the masks.

    Returns:
        float32 `[frames, mel_bins]`.
    """
    frames, bins = tf.shape(features)[0], features.shape[1]
    span = tf.cast(tf.cast(frames, tf.float32) * config.time_share, tf.int32)
    keep_time = _keep(frames, span, config.time_masks, seed)
    keep_bins = _keep(bins, config.frequency_width, config.frequency_masks, seed + 1)
    return features * keep_time[:, None] * keep_bins[None, :]


def _keep(size, largest, count: int, seed):
    """float32 `[size]`: 0 inside any of `count` random spans of at most `largest`, else 1."""
    width_seed, start_seed = tf.unstack(tf.random.split(seed, 2))
    share = tf.random.stateless_uniform([count, 1], width_seed)
    width = tf.cast(share * tf.cast(largest + 1, tf.float32), tf.int32)
    share = tf.random.stateless_uniform([count, 1], start_seed)
    start = tf.cast(share * tf.cast(size - width + 1, tf.float32), tf.int32)
    place = tf.range(size)[None, :]
    masked = tf.reduce_any((place >= start) & (place < start + width), axis=0)
    return tf.cast(~masked, tf.float32)


def random_channel(seed: tf.Tensor, deviation: float, bins: int) -> tf.Tensor:
    """A random gain and spectral tilt: float32 `[bins]` to add to log-mel features.

    Args:
        seed: int64 `[2]`.
        deviation: standard deviation of the gain, and of the tilt at the outer bins.
        bins: number of mel bins.
    """
    gain, tilt = tf.unstack(tf.random.stateless_normal([2], seed, stddev=deviation))
    return gain + tilt * tf.linspace(-1.0, 1.0, bins)


@functools.lru_cache
def _speed_filters(speed: float, zeros: int = 16) -> tuple[int, int, np.ndarray]:
    """Polyphase windowed-sinc filters: input step, reach, and `[step + 2 * reach, phases]`."""
    ratio = _ratio(speed)
    step, phases = ratio.numerator, ratio.denominator
    cutoff = min(1.0, 1.0 / speed)  # of the output's Nyquist frequency
    reach = int(np.ceil(zeros / cutoff))
    tap = np.arange(-reach, step + reach)[:, None]
    distance = tap - np.arange(phases)[None, :] * step / phases
    taper = np.cos(np.pi / 2 * np.clip(distance / reach, -1, 1)) ** 2
    return step, reach, (cutoff * np.sinc(cutoff * distance) * taper).astype(np.float32)


def _ratio(speed: float) -> fractions.Fraction:
    return fractions.Fraction(speed).limit_denominator(100)


def samples_at_speed(samples: tf.Tensor, speed: float) -> tf.Tensor:
    """Length of what `change_speed` makes of audio with a number of `samples`."""
    ratio = _ratio(speed)
    return -(-samples * ratio.denominator // ratio.numerator)


def change_speed(audio: tf.Tensor, speed: float) -> tf.Tensor:
    """Play `audio` faster (`speed` > 1) or slower, pitch included (Ko et al., 2015).

    A polyphase filter as one matrix product: `tfio.audio.resample` computes the same many
    times slower, which matters for every training utterance.

    Args:
        audio: float32 `[samples]`.
        speed: a short decimal such as 0.9.

    Returns:
        float32 `[ceil(samples / speed)]`.
    """
    if speed == 1.0:
        return audio
    step, reach, filters = _speed_filters(speed)
    length = samples_at_speed(tf.shape(audio)[0], speed)
    padded = tf.pad(audio, [[reach, reach + step]])
    blocks = tf.signal.frame(padded, filters.shape[0], step, pad_end=True)
    return tf.reshape(blocks @ filters, [-1])[:length]
