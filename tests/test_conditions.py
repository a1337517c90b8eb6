"""Noise at a ratio, and recordings that are read under conditions."""

import dataclasses

import numpy as np
import pytest
import soundfile
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.audio.augment import NoiseConfig, add_noise
from asr_qat.audio.decode import read_audio
from asr_qat.audio.noise import LOWEST_HZ, PINK, WHITE, coloured, mixed, noise_scale, part_of
from asr_qat.corpora.conditions import Condition, under
from asr_qat.corpora.noises import SILENCE, TALKERS, noise_named
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError
from tests.conftest import SAMPLE_RATE, utterance

RATE = SAMPLE_RATE


def ratio_db(speech, noise) -> float:
    """By energies in double precision."""
    energies = [sum(float(x) ** 2 for x in samples) for samples in (speech, noise)]
    return 10 * np.log10(energies[0] / energies[1])


@given(snr_db=st.floats(-20, 40), level=st.floats(1e-3, 1), seed=st.integers(0, 9))
def test_the_ratio_after_mixing_is_that_which_was_asked_for(snr_db, level, seed):
    rng = np.random.default_rng(seed)
    speech = (level * np.sin(np.arange(3000) * 0.2)).astype(np.float32)
    noise = coloured(3000, RATE, PINK, rng) * 123
    heard = mixed(speech, noise, snr_db)
    assert heard.dtype == np.float32
    assert ratio_db(speech, heard.astype(np.float64) - speech) == pytest.approx(snr_db, abs=1e-3)


def test_training_mixes_as_scoring_does():
    audio = np.sin(np.arange(4000) * 0.3).astype(np.float32)
    noisy = add_noise(tf.constant(audio), tf.constant([1, 2], tf.int64), NoiseConfig(1.0, (7, 7)))
    noise = noisy.numpy().astype(np.float64) - audio
    np.testing.assert_allclose(mixed(audio, 5 * noise, 7.0), noisy, atol=2e-6)
    powers = tf.constant(0.5), tf.constant(0.125)
    assert float(noise_scale(*powers, tf.constant(6.0))) == pytest.approx(
        noise_scale(0.5, 0.125, 6.0)
    )


@pytest.mark.parametrize(("falls", "slope"), [(WHITE, 0.0), (PINK, -1.0)])
def test_colours(falls, slope):
    noise = coloured(30 * RATE, RATE, falls, np.random.default_rng(0))
    spectrum = np.abs(np.fft.rfft(noise)) ** 2
    hertz = np.fft.rfftfreq(len(noise), 1 / RATE)
    octaves = [spectrum[(hertz >= low) & (hertz < 2 * low)].mean() for low in (100, 400, 1600)]
    np.testing.assert_allclose(np.diff(np.log2(octaves)) / 2, slope, atol=0.1)
    assert spectrum[hertz < LOWEST_HZ - 1].sum() < 1e-20 * spectrum.sum()
    assert len(coloured(5, RATE, falls, np.random.default_rng(0))) == 5


@given(length=st.integers(1, 50), samples=st.integers(1, 200), seed=st.integers(0, 99))
def test_a_part_of_a_recording(length, samples, seed):
    recording = np.arange(length, dtype=np.float32) + 7
    part = part_of(recording, samples, np.random.default_rng(seed))
    assert len(part) == samples and abs(part.mean()) < 1e-9
    steps = np.diff(np.rint(part - part[0]).astype(int)) % length
    assert (steps == 1 % length).all()  # one after the other, and round again
    if length >= samples:
        assert (np.diff(part) > 0).all()  # without a seam where it is long enough


@pytest.fixture
def items(tmp_path):
    """Three speakers with eight utterances each."""
    found = []
    for number in range(24):
        path = tmp_path / f"{number}.wav"
        words = ["ONE", "TWO", "FIVE"][: 1 + number % 3]
        soundfile.write(path, utterance(words, number), RATE)
        found.append(Utterance(path.stem, path, " ".join(words), f"speaker{number % 3}"))
    return found


def heard(items, name, snr_db=10.0, seed=0, of=0):
    condition = Condition(noise_named(name, items), snr_db, seed=seed)
    return under(condition, items)[of].read(RATE)


@pytest.fixture
def street(tmp_path):
    """A folder of two recordings of noise, one of them shorter than any utterance."""
    folder = tmp_path / "street"
    (folder / "deeper").mkdir(parents=True)
    rng = np.random.default_rng(1)
    soundfile.write(folder / "a.wav", rng.uniform(-0.2, 0.2, 3 * RATE), RATE)
    soundfile.write(folder / "deeper" / "b.flac", rng.uniform(-0.2, 0.2, 500), RATE)
    return folder


@pytest.mark.parametrize("name", ["white", "pink", "babble", "street"])
def test_noise_is_fixed_by_the_seed_and_the_utterance(items, street, name):
    name = str(street) if name == "street" else name
    clean = read_audio(items[5].audio_path, RATE)
    noisy = heard(items, name, of=5)
    np.testing.assert_array_equal(noisy, heard(items, name, of=5))
    assert ratio_db(clean, noisy.astype(np.float64) - clean) == pytest.approx(10, abs=1e-3)
    other = heard(items, name, seed=1, of=5)
    assert np.abs(other - noisy).max() > 0.01
    # At another ratio the noise is the same, but for its level.
    louder = heard(items, name, 5.0, of=5).astype(np.float64) - clean
    quieter = noisy.astype(np.float64) - clean
    np.testing.assert_allclose(louder, quieter * 10 ** (5 / 20), atol=1e-6)
    # Nor does it depend on what else is heard, but for babble, which is made of it.
    if name != "babble":
        few = under(Condition(noise_named(name, items), 10.0), items[5:6])[0].read(RATE)
        np.testing.assert_array_equal(few, noisy)


def test_babble_is_six_others_and_never_the_same_speaker(items, monkeypatch):
    asked = []
    read = Utterance.read

    def note(self, sample_rate):
        asked.append(self)
        return read(self, sample_rate)

    monkeypatch.setattr(Utterance, "read", note)
    for number in (0, 7, 23):
        asked.clear()
        heard(items, "babble", of=number)
        own, *others = asked
        assert own.id == items[number].id and len({other.id for other in others}) == TALKERS
        assert own.speaker not in {other.speaker for other in others}


def test_babble_of_unknown_speakers_and_of_too_few(items):
    unknown = [dataclasses.replace(item, speaker="") for item in items[: TALKERS + 1]]
    heard(unknown, "babble")
    for few in (unknown[:TALKERS], [dataclasses.replace(i, speaker="a") for i in items]):
        with pytest.raises(UserError, match=r"beside 0 the data have \d+ utterances? of other"):
            heard(few, "babble")


def test_noise_that_is_none(items, tmp_path):
    with pytest.raises(UserError, match="noise brown: no such folder, and none of white, pink"):
        noise_named("brown", items)
    (tmp_path / "street").mkdir()
    with pytest.raises(UserError, match="no recording in this folder"):
        noise_named(str(tmp_path / "street"), items)
    soundfile.write(tmp_path / "street" / "a.wav", np.full(RATE, SILENCE / 2), RATE, "DOUBLE")
    with pytest.raises(UserError, match="noise street: 20 parts of its recordings are silence"):
        heard(items, str(tmp_path / "street"))


def test_level_and_offset_come_after_the_noise(items):
    (item,) = under(Condition(gain_db=-20.0, offset=0.25), items[:1])
    clean = read_audio(items[0].audio_path, RATE)
    np.testing.assert_allclose(item.read(RATE), clean / 10 + 0.25, atol=1e-7)
    both = Condition(noise_named("white", items), 3.0, gain_db=-20.0, offset=0.25)
    noisy = heard(items, "white", 3.0)
    np.testing.assert_allclose(under(both, items)[0].read(RATE), noisy / 10 + 0.25, atol=1e-6)
    assert str(both) == "white 3 dB, level -20 dB, offset +0.25"
    assert str(Condition()) == "clean"
    np.testing.assert_array_equal(under(Condition(), items)[0].read(RATE), clean)


def test_silence_stays_silence(items, tmp_path):
    soundfile.write(tmp_path / "none.wav", np.zeros(800), RATE)
    silent = dataclasses.replace(items[0], audio_path=tmp_path / "none.wav")
    np.testing.assert_array_equal(heard([silent, *items], "white"), 0)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"gain_db": 101.0}, "gain: 101.0 is more than 100"),
        ({"offset": float("nan")}, "offset: nan is not from -1 to 1"),
    ],
)
def test_out_of_range(values, said):
    with pytest.raises(UserError, match=said):
        Condition(**values)


def test_ratio_out_of_range(items):
    with pytest.raises(UserError, match="snr: nan is less than -100"):
        Condition(noise_named("white", items), float("nan"))
