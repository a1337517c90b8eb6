"""SpecAugment and speed perturbation."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.audio.augment import (
    NoiseConfig,
    SpecAugmentConfig,
    add_noise,
    change_speed,
    spec_augment,
)
from asr_qat.errors import UserError

RATE = 16000


def masked(frames, seed, config, bins=80):
    features = tf.ones([frames, bins])
    result = spec_augment(features, tf.constant(seed, tf.int64), config).numpy()
    assert set(np.unique(result)) <= {0.0, 1.0}
    return result == 0


def spans(flags):
    """Lengths of the runs of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(int), [0]])))
    return edges[1::2] - edges[::2]


@given(
    frames=st.integers(1, 300),
    seed=st.tuples(st.integers(-(2**62), 2**62), st.integers(0, 2**62)),
    frequency_masks=st.integers(0, 3),
    frequency_width=st.integers(0, 80),
    time_masks=st.integers(0, 10),
    time_share=st.floats(0, 0.2),
)
def test_no_more_is_masked_than_the_configuration_says(
    frames, seed, frequency_masks, frequency_width, time_masks, time_share
):
    config = SpecAugmentConfig(frequency_masks, frequency_width, time_masks, time_share)
    mask = masked(frames, seed, config)
    rows, columns = mask.all(axis=1), mask.all(axis=0)
    if not rows.all() and not columns.all():
        # Whole frames and whole bins, nothing else.
        np.testing.assert_array_equal(mask, rows[:, None] | columns[None, :])
    assert mask[:, ~columns].all(axis=1).sum() <= time_masks * int(frames * time_share + 1e-3) or (
        columns.all()
    )
    assert columns.sum() <= frequency_masks * frequency_width or rows.all()


def test_masks_reach_their_full_size_and_every_place():
    """Widths are uniform over 0 ... largest; the first and last frame and bin are reached."""
    config = SpecAugmentConfig(1, 10, 1, 0.1)
    masks = [masked(100, (seed, 7), config) for seed in range(400)]
    heights = np.array([mask.all(axis=1).sum() for mask in masks])
    widths = np.array([mask.all(axis=0).sum() for mask in masks])
    for sizes in (heights, widths):
        assert set(sizes) == set(range(11))
        assert 4.5 < sizes.mean() < 5.5
    anywhere = np.any(masks, axis=0)
    assert anywhere.all()


def test_masks_overlap_into_spans_of_frames():
    mask = masked(200, (3, 4), SpecAugmentConfig(0, 0, 10, 0.05))
    lengths = spans(mask.all(axis=1))
    assert 1 <= len(lengths) <= 10


def test_a_seed_decides_the_masks():
    config = SpecAugmentConfig()
    first = masked(300, (1, 2), config)
    np.testing.assert_array_equal(first, masked(300, (1, 2), config))
    assert (first != masked(300, (1, 3), config)).any()
    assert (first != masked(300, (2, 2), config)).any()
    traced = tf.function(spec_augment)(tf.ones([300, 80]), tf.constant([1, 2], tf.int64), config)
    np.testing.assert_array_equal(first, traced.numpy() == 0)


def test_what_is_not_masked_stays():
    features = np.random.default_rng(0).standard_normal([120, 80]).astype(np.float32)
    result = spec_augment(features, tf.constant([5, 6], tf.int64), SpecAugmentConfig()).numpy()
    kept = result != 0
    np.testing.assert_array_equal(result[kept], features[kept])
    assert 0.05 < 1 - kept.mean() < 0.95


@given(samples=st.integers(1, 5000), speed=st.sampled_from([0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.25]))
def test_length(samples, speed):
    audio = np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)
    changed = change_speed(audio, speed)
    assert len(changed) == -(-samples * 100 // round(100 * speed))
    assert np.isfinite(changed).all()


def test_speed_one_is_the_recording():
    audio = np.random.default_rng(0).uniform(-1, 1, 999).astype(np.float32)
    assert change_speed(audio, 1.0) is audio


def frequency(audio):
    """Of a sine, in hertz, by the phase that it gains between two windows."""
    taper = np.hanning(len(audio) // 2)
    first, second = audio[: len(taper)] * taper, audio[-len(taper) :] * taper
    coarse = np.argmax(np.abs(np.fft.rfft(first, 1 << 18))) * RATE / (1 << 18)
    wave = np.exp(-2j * np.pi * coarse * np.arange(len(taper)) / RATE)
    apart = len(audio) - len(taper)
    turned = np.exp(-2j * np.pi * coarse * apart / RATE)
    gained = np.angle((second @ wave) / (first @ wave) * turned)
    return coarse + gained / (2 * np.pi) * RATE / apart


@pytest.mark.parametrize("speed", [0.9, 1.1, 0.8, 1.25])
@pytest.mark.parametrize("hertz", [100.0, 440.0, 1000.0, 3000.0, 5500.0])
def test_a_sine_moves_by_the_factor_and_keeps_its_amplitude(speed, hertz):
    audio = np.sin(2 * np.pi * hertz * np.arange(RATE) / RATE).astype(np.float32)
    changed = change_speed(audio, speed).numpy()
    inner = changed[200:-200]
    assert frequency(inner) == pytest.approx(hertz * speed, rel=1e-4)
    assert np.sqrt(2 * np.mean(inner**2)) == pytest.approx(1.0, abs=0.01)
    # Nothing else is added: what is left beside the moved sine is small.
    n = np.arange(len(inner))
    waves = [f(2 * np.pi * hertz * speed * n / RATE) for f in (np.sin, np.cos)]
    fit, *_ = np.linalg.lstsq(np.stack(waves, 1), inner, rcond=None)
    rest = inner - np.stack(waves, 1) @ fit
    assert np.sqrt(np.mean(rest**2)) < 0.01


def test_faster_does_not_alias():
    """A tone that would leave the band is removed, not folded back into it."""
    audio = np.sin(2 * np.pi * 7900 * np.arange(RATE) / RATE).astype(np.float32)
    changed = change_speed(audio, 1.25).numpy()[200:-200]
    assert np.sqrt(2 * np.mean(changed**2)) < 0.05


def test_timing_is_kept():
    """An event at t is heard at t / speed: the filters delay nothing."""
    audio = np.zeros(9000, np.float32)
    audio[4500] = 1.0
    for speed in (0.9, 1.1):
        changed = change_speed(audio, speed).numpy()
        assert np.argmax(changed) == round(4500 / speed)


@given(snr_db=st.floats(-10, 40), seed=st.integers(0, 2**62), samples=st.integers(2, 9000))
def test_noise_has_the_power_that_it_is_to_have(snr_db, seed, samples):
    audio = tf.constant(np.sin(np.arange(samples) * 0.3), tf.float32)
    noise = add_noise(audio, tf.constant([seed, 1], tf.int64), NoiseConfig(1.0, (snr_db, snr_db)))
    noise = noise - audio
    ratio = np.mean(np.square(audio)) / np.mean(np.square(noise), dtype=np.float64)
    np.testing.assert_allclose(10 * np.log10(ratio), snr_db, atol=0.1)


def test_noise_is_of_many_colours_and_of_a_share_of_the_utterances():
    audio = tf.zeros([RATE]) + tf.constant(np.sin(np.arange(RATE)), tf.float32)
    config = NoiseConfig(0.6, (0.0, 20.0))
    slopes, snrs = [], []
    for number in range(150):
        noise = (add_noise(audio, tf.constant([5, number], tf.int64), config) - audio).numpy()
        if not noise.any():
            continue
        power = np.abs(np.fft.rfft(noise)) ** 2
        low, high = power[200:400].mean(), power[3200:6400].mean()
        slopes.append(np.log(high / low) / np.log(16))
        snrs.append(10 * np.log10(np.mean(np.square(audio)) / np.mean(np.square(noise))))
    assert 70 <= len(slopes) <= 110
    assert -2.2 < min(slopes) < -1.8 and -0.2 < max(slopes) < 0.2
    assert -0.1 < min(snrs) < 1.5 and 18.5 < max(snrs) < 20.1


def test_silence_gets_no_noise():
    silence = add_noise(tf.zeros([800]), tf.constant([1, 2], tf.int64), NoiseConfig(1.0))
    np.testing.assert_array_equal(silence, 0)


@pytest.mark.parametrize("values", [{"share": 1.5}, {"snr_db": (9.0, 3.0)}])
def test_noise_out_of_range(values):
    with pytest.raises(UserError, match=next(iter(values))):
        NoiseConfig(**values)
