"""The log-mel front end in TensorFlow, for training pipelines."""

import tensorflow as tf

from asr_qat.audio.front_end import MIN_DEVIATION, MIN_LEVEL, FrontEndConfig, level_decay
from asr_qat.audio.mel_filters import mel_matrix, window


def log_mel(audio: tf.Tensor, config: FrontEndConfig) -> tf.Tensor:
    """Natural logarithm of mel power energies, as `asr_qat.audio.front_end.log_mel`.

    Args:
        audio: float32 `[samples]` in [-1, 1).
        config: the front end.

    Returns:
        float32 `[frames, mel_bins]`; no frames for audio shorter than one window, or than one
        hop of a centred front end.
    """
    count = tf.shape(audio)[0] // config.hop_length
    if config.preemphasis:
        audio = tf.concat([audio[:1], audio[1:] - config.preemphasis * audio[:-1]], axis=0)
    if config.centred:
        audio = tf.pad(audio, [[config.padding, config.padding]])
    frames = tf.signal.frame(audio, config.frame_length, config.hop_length)
    if config.centred:
        frames = frames[:count]
    if config.remove_offset:
        frames -= tf.reduce_mean(frames, axis=1, keepdims=True)
    # Padded here because the FFT does not pad when there are no frames.
    frames = tf.pad(frames * window(config), [[0, 0], [0, config.fft_length - config.frame_length]])
    # In double precision as numpy computes it: rounding shows in bins that hold next to nothing.
    spectrum = tf.signal.rfft(tf.cast(frames, tf.float64))
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    power = tf.cast(power, tf.float32)
    energies = tf.matmul(power, mel_matrix(config))
    if config.level == "running":
        level = running_level(tf.reduce_sum(energies, axis=1), config)
        energies = tf.cast(tf.cast(energies, tf.float64) / level[:, None], tf.float32)
    return tf.math.log(energies + config.log_floor)


def running_level(energies: tf.Tensor, config: FrontEndConfig) -> tf.Tensor:
    """As `asr_qat.audio.front_end.running_level`, from the beginning of a recording.

    A maximum over the last 2, 4, 8, ... frames is that over half as many of them, now and half as
    many frames ago: no loop over frames.

    Args:
        energies: float32 `[frames]`.
        config: the front end.

    Returns:
        float64 `[frames]`.
    """
    decay = tf.constant(level_decay(config), tf.float64)
    level = tf.maximum(tf.cast(energies, tf.float64), MIN_LEVEL)
    count = tf.shape(level)[0]

    def further(span, level):
        before = level[: tf.maximum(0, count - span)] * decay ** tf.cast(span, tf.float64)
        return 2 * span, tf.maximum(level, tf.pad(before, [[tf.minimum(span, count), 0]]))

    return tf.while_loop(lambda span, _: span < count, further, (1, level))[1]


def normalize(features: tf.Tensor, config: FrontEndConfig, mean, std) -> tf.Tensor:
    """Features at zero mean and unit deviation, as `asr_qat.audio.front_end.normalize`.

    Args:
        features: float32 `[frames, mel_bins]`, of one whole utterance.
        config: the front end, which says whether of the corpus or of the utterance.
        mean: float32 `[mel_bins]` of the training corpus.
        std: float32 `[mel_bins]` of the training corpus.
    """
    if config.normalization == "utterance":
        mean = tf.reduce_mean(features, axis=0)
        others = tf.cast(tf.maximum(1, tf.shape(features)[0] - 1), tf.float32)
        squares = tf.reduce_sum(tf.square(features - mean), axis=0)
        std = tf.sqrt(squares / others) + MIN_DEVIATION
    return (features - mean) / std
