"""Training-time augmentation: some utterances are heard in a room, in TensorFlow."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from asr_qat.audio.room import room_responses
from asr_qat.bounds import require_within
from asr_qat.errors import require

LEAST_S, MOST_S = 0.1, 2.0
ROOMS = 64  # that are simulated when a training begins, in seconds
BLOCK = 1024  # samples; Fourier transforms of a multiple of it are fast


@dataclasses.dataclass(frozen=True)
class ReverberationConfig:
    """Rooms of random size and walls, by the image method, in which some utterances are heard.

    Attributes:
        share: of the utterances that are heard in a room.
        rt60_s: shortest and longest reverberation time in seconds, in which the sound falls by
            60 dB; each value between them is as likely.
    """

    share: float = 0.5
    rt60_s: tuple[float, float] = (0.15, 0.6)

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        require(0 <= self.share <= 1, f"share: {self.share} is not from 0 to 1")
        for value in self.rt60_s:
            require_within("rt60_s", value, LEAST_S, MOST_S)
        low, high = self.rt60_s
        require(low <= high, f"rt60_s: {low}, {high} are not the lowest and the highest number")


@functools.lru_cache(1)
def rooms_of(config: ReverberationConfig, sample_rate: int, seed: int) -> np.ndarray:
    """The responses that a training draws from, float32 `[ROOMS, samples]`."""
    return room_responses(ROOMS, config.rt60_s, sample_rate, seed)


def reverberate(
    audio: tf.Tensor, seed: tf.Tensor, config: ReverberationConfig, rooms: tf.Tensor
) -> tf.Tensor:
    """Hear an utterance in one of some rooms.

    The direct sound stays in its place and the audio as long as it was, so that labels stay true;
    its power stays, too. Both are as by `wav-reverberate` of Kaldi with `--shift-output` and
    `--normalize-output`.

    Args:
        audio: float32 `[samples]`.
        seed: int64 `[2]`.
        config: how often.
        rooms: float32 `[rooms, taps]`, see `rooms_of`.

    Returns:
        float32 `[samples]`.
    """
    chance, place = tf.unstack(tf.random.stateless_uniform([2], seed))

    def heard():
        count, samples = tf.shape(rooms)[0], tf.shape(audio)[0]
        response = rooms[tf.cast(place * tf.cast(count, tf.float32), tf.int32)]
        length = [-(-(samples + tf.shape(rooms)[1]) // BLOCK) * BLOCK]
        spectrum = tf.signal.rfft(audio, length) * tf.signal.rfft(response, length)
        reverberant = tf.signal.irfft(spectrum, length)[:samples]
        powers = (tf.reduce_mean(tf.square(x)) for x in (audio, reverberant))
        return reverberant * tf.sqrt(tf.math.divide_no_nan(*powers))

    return tf.cond((chance < config.share) & (tf.shape(audio)[0] > 0), heard, lambda: audio)
