"""The log-mel front end in TensorFlow, for training pipelines."""

import tensorflow as tf

from asr_qat.audio.front_end import LOG_FLOOR, FrontEndConfig, mel_matrix, window


def log_mel(audio: tf.Tensor, config: FrontEndConfig) -> tf.Tensor:
    """Natural logarithm of mel power energies, as `asr_qat.audio.front_end.log_mel`.

    Args:
        audio: float32 `[samples]` in [-1, 1).
        config: the front end.

    Returns:
        float32 `[frames, mel_bins]`; no frames for audio shorter than one window.
    """
    frames = tf.signal.frame(audio, config.frame_length, config.hop_length)
    # Padded here because the FFT does not pad when there are no frames.
    frames = tf.pad(frames * window(config), [[0, 0], [0, config.fft_length - config.frame_length]])
    # In double precision as numpy computes it: rounding shows in bins that hold next to nothing.
    spectrum = tf.signal.rfft(tf.cast(frames, tf.float64))
    power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
    power = tf.cast(power, tf.float32)
    return tf.math.log(tf.matmul(power, mel_matrix(config)) + LOG_FLOOR)
