"""The log-mel front end: one definition, twice carried out."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.audio.front_end import FrontEndConfig, log_mel, mel_matrix, normalize, window
from asr_qat.audio.log_mel import log_mel as log_mel_tf

CONFIG = FrontEndConfig()
CONFIGS = [CONFIG, FrontEndConfig(8000, 20.0, 10.0, 40, 60.0, 3800.0)]


def test_tensorflow_and_numpy_agree_on_speech(an4_audio):
    for audio in an4_audio:
        expected = log_mel(audio, CONFIG)
        assert expected.shape == (CONFIG.frames(len(audio)), CONFIG.mel_bins)
        np.testing.assert_allclose(log_mel_tf(audio, CONFIG), expected, atol=1e-5)


@given(
    samples=st.integers(0, 6000),
    kind=st.sampled_from(["noise", "tone", "steps", "silence"]),
    loudness_db=st.floats(-90, 0),
    seed=st.integers(0, 1000),
)
def test_tensorflow_and_numpy_agree(samples, kind, loudness_db, seed):
    rng = np.random.default_rng(seed)
    n = np.arange(samples)
    audio = {
        "noise": rng.uniform(-1, 1, samples),
        "tone": np.sin(n * rng.uniform(0.01, 3)),
        "steps": np.sign(np.sin(n * 0.003 * rng.uniform(1, 9))),
        "silence": np.zeros(samples),
    }[kind]
    audio = (audio * 10 ** (loudness_db / 20)).astype(np.float32)
    expected = log_mel(audio, CONFIG)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(log_mel_tf(audio, CONFIG), expected, atol=1e-4)


@pytest.mark.parametrize("samples", [0, 1, 399, 400, 559, 560])
def test_short_audio(samples):
    audio = np.full(samples, 0.1, np.float32)
    frames = {559: 1, 400: 1, 560: 2}.get(samples, 0)
    assert CONFIG.frames(samples) == frames
    assert log_mel(audio, CONFIG).shape == (frames, 80)
    assert log_mel_tf(audio, CONFIG).shape == (frames, 80)


@given(samples=st.integers(0, 4000), config=st.sampled_from(CONFIGS))
def test_frames_is_the_number_of_frames(samples, config):
    audio = np.zeros(samples, np.float32)
    assert len(log_mel(audio, config)) == config.frames(samples)
    if config.frames(samples):
        last = (config.frames(samples) - 1) * config.hop_length + config.frame_length
        assert last <= samples < last + config.hop_length


@pytest.mark.parametrize("config", CONFIGS)
def test_mel_matrix_is_that_of_tensorflow(config):
    expected = tf.signal.linear_to_mel_weight_matrix(
        config.mel_bins,
        config.fft_length // 2 + 1,
        config.sample_rate,
        config.low_hz,
        config.high_hz,
        tf.float64,
    )
    matrix = mel_matrix(config)
    assert matrix.dtype == np.float32
    np.testing.assert_allclose(matrix, expected, atol=1e-6)


def test_window_is_the_periodic_hann_window():
    expected = tf.signal.hann_window(CONFIG.frame_length, periodic=True)
    np.testing.assert_allclose(window(CONFIG), expected, atol=1e-6)


def test_silence_is_the_floor():
    silence = log_mel(np.zeros(1600, np.float32), CONFIG)
    np.testing.assert_allclose(silence, np.log(CONFIG.log_floor), rtol=1e-6)


def test_a_tone_lies_in_its_bin():
    tone = np.sin(2 * np.pi * 1000 * np.arange(8000) / 16000).astype(np.float32)
    centres = np.linspace(*(1127 * np.log1p(np.array([20.0, 7600.0]) / 700)), 82)[1:-1]
    expected = np.argmin(np.abs(centres - 1127 * np.log1p(1000 / 700)))
    assert (np.argmax(log_mel(tone, CONFIG), axis=1) == expected).all()


def test_normalize(an4_audio):
    features = log_mel(an4_audio[0], CONFIG)
    normal = normalize(features, CONFIG, features.mean(axis=0), features.std(axis=0))
    assert normal.dtype == np.float32
    np.testing.assert_allclose(normal.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(normal.std(axis=0), 1, atol=1e-4)
