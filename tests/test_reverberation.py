"""Rooms by the image method, and training utterances in them."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from asr_qat.audio.reverberation import ReverberationConfig, reverberate
from asr_qat.audio.room import (
    HIGH_PASS_HZ,
    SOUND_M_S,
    high_passed,
    impulse_response,
    reverberation_time,
    room_response,
    room_responses,
)
from asr_qat.errors import UserError

RATE = 16000


def test_response_is_that_of_every_image_alone():
    size, source, microphone = np.array([[4.0, 3.5, 2.7], [1.0, 2.2, 1.5], [3.1, 0.9, 1.2]])
    seconds, reflection = 0.03, 0.8
    expected = np.zeros(round(seconds * RATE))
    # The eight images of each neighbouring box: mirrored or not along each axis.
    for mirrored in itertools.product([False, True], repeat=3):
        for box in itertools.product(range(-4, 5), repeat=3):
            place, walls = [], 0
            for axis in range(3):
                own = -source[axis] if mirrored[axis] else source[axis]
                place.append(own + 2 * box[axis] * size[axis])
                walls += abs(box[axis]) + abs(box[axis] - mirrored[axis])
            distance = np.linalg.norm(place - microphone)
            sample = round(distance / SOUND_M_S * RATE)
            if distance < SOUND_M_S * seconds and sample < len(expected):
                expected[sample] += reflection**walls / distance
    found = impulse_response(size, source, microphone, reflection, seconds, RATE)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    assert (found > 0).sum() > 50
    direct = np.linalg.norm(source - microphone)
    assert np.flatnonzero(found)[0] == round(direct / SOUND_M_S * RATE)
    assert found[np.flatnonzero(found)[0]] == pytest.approx(1 / direct)


def test_high_pass_is_the_recursion_of_the_paper():
    response = np.random.default_rng(0).uniform(0, 1, 600) * np.exp(-np.arange(600) / 80)
    radians = 2 * np.pi * HIGH_PASS_HZ / RATE
    pole = np.exp(-radians)
    expected, before, first = [], 0.0, 0.0
    for value in response:
        now = value + 2 * pole * np.cos(radians) * before - pole**2 * first
        expected.append(now - (1 + pole) * before + pole * first)
        first, before = before, now
    # It rings on for some milliseconds, which a Fourier transform of twice the length holds.
    np.testing.assert_allclose(high_passed(response, RATE), expected, atol=1e-8)


@pytest.mark.parametrize("rt60_s", [0.15, 0.3, 0.6])
def test_rooms_reverberate_as_long_as_they_should(rt60_s):
    times = []
    for seed in range(6):
        response = room_response(np.random.default_rng(seed), rt60_s, RATE).astype(np.float64)
        assert len(response) == round(rt60_s * RATE) and response[0] == 1
        # By the crossings of the decay, not by a line through it.
        energy = np.cumsum(response[::-1] ** 2)[::-1]
        level_db = 10 * np.log10(energy / energy[0])
        crossed = [np.argmax(level_db < level) / RATE for level in (-5, -25)]
        times.append(3 * (crossed[1] - crossed[0]))
    np.testing.assert_allclose(np.mean(times), rt60_s, rtol=0.1)
    np.testing.assert_allclose(times, rt60_s, rtol=0.25)


def test_reverberation_time_of_a_decay_that_is_known():
    seconds = np.arange(RATE) / RATE
    decay = np.random.default_rng(0).standard_normal(RATE) * 10 ** (-3 * seconds / 0.35)
    assert reverberation_time(decay, RATE) == pytest.approx(0.35, rel=0.03)


@pytest.fixture(scope="module")
def rooms():
    return room_responses(5, (0.1, 0.3), RATE, seed=3)


def test_rooms_are_fixed_by_their_seed(rooms):
    np.testing.assert_array_equal(rooms, room_responses(5, (0.1, 0.3), RATE, seed=3))
    assert (rooms[:, 0] == 1).all() and rooms.dtype == np.float32
    assert len({room.tobytes() for room in rooms}) == 5
    assert (room_responses(5, (0.1, 0.3), RATE, seed=4)[:, :99] != rooms[:, :99]).any()


ALWAYS = ReverberationConfig(1.0)


def in_room(audio, rooms, number=0, config=ALWAYS):
    return reverberate(
        tf.constant(audio, tf.float32), tf.constant([5, number], tf.int64), config, rooms
    ).numpy()


def test_an_utterance_is_convolved_with_one_of_the_rooms(rooms):
    audio = np.random.default_rng(1).uniform(-0.3, 0.3, 5000).astype(np.float32)
    expected = []
    for room in rooms:
        wet = np.convolve(audio.astype(np.float64), room)[: len(audio)]
        expected.append(wet * np.sqrt(np.mean(audio**2) / np.mean(wet**2)))
    chosen = set()
    for number in range(40):
        heard = in_room(audio, rooms, number)
        assert len(heard) == len(audio)
        assert np.mean(heard**2) == pytest.approx(np.mean(audio**2), rel=1e-4)
        away = [np.abs(heard - each).max() for each in expected]
        chosen.add(int(np.argmin(away)))
        assert min(away) < 1e-5
    assert chosen == set(range(5))
    np.testing.assert_array_equal(in_room(audio, rooms), in_room(audio, rooms))


def test_the_direct_sound_stays_in_its_place(rooms):
    """A click is heard first, and loudest, where it was: words do not move."""
    audio = np.zeros(4000, np.float32)
    audio[1234] = 0.5
    for number in range(8):
        heard = np.abs(in_room(audio, rooms, number))
        assert heard[:1234].max() < 1e-5 < heard[1235:].max()
        assert np.argmax(heard > 0.01) == 1234


def test_a_share_of_the_utterances(rooms):
    audio = np.sin(np.arange(900) * 0.2).astype(np.float32)
    config = ReverberationConfig(0.3)
    dry = [np.array_equal(in_room(audio, rooms, n, config), audio) for n in range(200)]
    assert 115 <= sum(dry) <= 165
    never = in_room(audio, rooms, 0, ReverberationConfig(0.0))
    np.testing.assert_array_equal(never, audio)


@pytest.mark.parametrize("samples", [0, 1, 800])
def test_silence_stays_silence(rooms, samples):
    np.testing.assert_array_equal(in_room(np.zeros(samples), rooms), np.zeros(samples))


@pytest.mark.parametrize(
    "values", [{"share": -0.1}, {"rt60_s": (0.5, 0.2)}, {"rt60_s": (0.0, 1.0)}, {"rt60_s": (1, 9)}]
)
def test_out_of_range(values):
    with pytest.raises(UserError, match=next(iter(values))):
        ReverberationConfig(**values)
