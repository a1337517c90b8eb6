"""The log-mel front end: one definition, twice carried out."""

import dataclasses
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_qat.audio import front_end
from asr_qat.audio.front_end import (
    LEVELLED_FRONT_END,
    NEMO_FRONT_END,
    FrontEndConfig,
    log_mel,
    normalize,
    running_level,
)
from asr_qat.audio.log_mel import log_mel as log_mel_tf
from asr_qat.audio.log_mel import normalize as normalize_tf
from asr_qat.audio.log_mel import running_level as running_level_tf
from asr_qat.audio.mel_filters import mel_matrix, window

CONFIG = FrontEndConfig()
CONFIGS = [
    CONFIG,
    FrontEndConfig(8000, 20.0, 10.0, 40, 60.0, 3800.0),
    LEVELLED_FRONT_END,
    NEMO_FRONT_END,
]
BINS = np.zeros(80, np.float32)  # statistics that normalisation of an utterance ignores
# `librosa.filters.mel(sr=16000, n_fft=512, n_mels=80)` of librosa 0.11.0, by which NeMo makes its
# filters: where filters are widest, by bin of the FFT and filter.
LIBROSA = {
    (1, 0): 0.022534560412168503,
    (2, 1): 0.018215704709291458,
    (10, 7): 0.01633513532578945,
    (31, 25): 0.02640659175813198,
    (33, 27): 0.01620047353208065,
    (64, 44): 0.011678251437842846,
    (128, 62): 0.006172718480229378,
    (200, 74): 0.00232442538253963,
    (250, 79): 0.0021035580430179834,
}
REFERENCE = np.load(Path(__file__).parent / "data/nemo_features.npz")  # by make_nemo_features.py


def test_tensorflow_and_numpy_agree_on_speech(an4_audio):
    for audio in an4_audio:
        expected = log_mel(audio, CONFIG)
        assert expected.shape == (CONFIG.frames(len(audio)), CONFIG.mel_bins)
        np.testing.assert_allclose(log_mel_tf(audio, CONFIG), expected, atol=1e-5)


# Of a tone most bands have next to no energy, and what the tone's rounding leaves in them.
TOLERANCE = {"noise": 3e-4, "tone": 5e-4, "steps": 3e-4, "silence": 3e-4}


@given(
    samples=st.integers(0, 6000),
    kind=st.sampled_from(["noise", "tone", "steps", "silence"]),
    loudness_db=st.floats(-90, 0),
    seed=st.integers(0, 1000),
    config=st.sampled_from([CONFIG, LEVELLED_FRONT_END, NEMO_FRONT_END]),
)
def test_tensorflow_and_numpy_agree(samples, kind, loudness_db, seed, config):
    rng = np.random.default_rng(seed)
    n = np.arange(samples)
    audio = {
        "noise": rng.uniform(-1, 1, samples),
        "tone": np.sin(n * rng.uniform(0.01, 3)),
        "steps": np.sign(np.sin(n * 0.003 * rng.uniform(1, 9))),
        "silence": np.zeros(samples),
    }[kind]
    audio = (audio * 10 ** (loudness_db / 20)).astype(np.float32)
    expected = log_mel(audio, config)
    assert np.isfinite(expected).all()
    np.testing.assert_allclose(log_mel_tf(audio, config), expected, atol=TOLERANCE[kind])


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
    if config.frames(samples) and not config.centred:
        last = (config.frames(samples) - 1) * config.hop_length + config.frame_length
        assert last <= samples < last + config.hop_length


@settings(max_examples=50, deadline=None)
@given(
    samples=st.integers(0, 3000),
    rate=st.sampled_from([8000, 16000, 22050]),
    frame_ms=st.floats(1, 60),
    hop_ms=st.floats(1, 60),
    centred=st.booleans(),
)
def test_frames_of_any_front_end(samples, rate, frame_ms, hop_ms, centred):
    """One definition, for integers, arrays and tensors: that of what is computed."""
    config = FrontEndConfig(rate, frame_ms, hop_ms, 4, 20.0, 3800.0, centred=centred)
    expected = config.frames(samples)
    audio = np.zeros(samples, np.float32)
    assert len(log_mel(audio, config)) == len(log_mel_tf(audio, config)) == expected >= 0
    assert config.frames(tf.constant(samples)) == config.frames(np.array(samples)) == expected


@pytest.mark.parametrize("config", CONFIGS[:2])
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


@given(gain_db=st.floats(-30, 6), offset=st.floats(-0.1, 0.1), which=st.integers(0, 4))
def test_level_and_offset_of_the_microphone_do_not_matter(an4_audio, gain_db, offset, which):
    audio = an4_audio[which]
    expected = log_mel(audio, LEVELLED_FRONT_END)
    changed = (audio * 10 ** (gain_db / 20) + offset).astype(np.float32)
    # Beside an offset of 0.1, float32 rounds samples to 7e-9, which is noise to audio of -30 dB.
    found = log_mel(changed, LEVELLED_FRONT_END)
    assert np.abs(found - expected).mean() < 1e-2
    loud = expected > np.log(1e-5)
    np.testing.assert_allclose(found[loud], expected[loud], atol=0.1)
    exact = log_mel((audio * np.float32(2.0**-6)), LEVELLED_FRONT_END)
    np.testing.assert_allclose(exact, expected, atol=1e-5)


@given(energies=st.lists(st.floats(0, 1e4), min_size=1, max_size=70), cut=st.integers(0, 70))
def test_running_level(energies, cut):
    """The loudest frame so far, 1 dB less for each second since; in pieces as in one."""
    decay = 10 ** (-0.1 * 0.01)
    expected = [
        max(1e-10, *(e * decay ** (t - s) for s, e in enumerate(energies[: t + 1])))
        for t in range(len(energies))
    ]
    found = running_level(np.array(energies), LEVELLED_FRONT_END)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    before = running_level(np.array(energies[:cut]), LEVELLED_FRONT_END)
    after = running_level(np.array(energies[cut:]), LEVELLED_FRONT_END, [0.0, *before][-1])
    np.testing.assert_array_equal(np.concatenate([before, after]), found)
    in_graph = running_level_tf(tf.constant(energies, tf.float32), LEVELLED_FRONT_END)
    np.testing.assert_allclose(in_graph, expected, rtol=1e-6)


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


@pytest.mark.parametrize("library", ["nemo", "transformers"])
@pytest.mark.parametrize("name", ["voice", "after_silence", "no_frame", "one_frame", "one_window"])
def test_features_are_those_of_nemo(library, name):
    expected = REFERENCE[f"{library}_{name}"]
    found = nemo_features(name)
    assert found.dtype == np.float32 and found.shape == expected.shape
    if (library, name) == ("transformers", "one_frame"):
        assert np.isnan(expected).all()  # it divides by no degrees of freedom; NeMo does not
        expected = REFERENCE["nemo_one_frame"]
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_silence_is_that_of_nemo_up_to_rounding():
    """All logarithms are equal, so NeMo divides the rounding of its mean by 1e-5."""
    np.testing.assert_array_equal(nemo_features("silence"), 0)
    assert np.abs(REFERENCE["nemo_silence"]).max() < 2**-19 / 1e-5  # a unit in the last place


def nemo_features(name: str) -> np.ndarray:
    audio = REFERENCE[f"audio_{name}"].astype(np.float32) / 32768
    return normalize(log_mel(audio, NEMO_FRONT_END), NEMO_FRONT_END, BINS, BINS + 1)


def test_windows_and_filters_of_nemo():
    np.testing.assert_allclose(window(NEMO_FRONT_END), np.hanning(400), atol=1e-6)
    filters = mel_matrix(NEMO_FRONT_END)
    for (row, column), weight in LIBROSA.items():
        assert filters[row, column] == pytest.approx(weight, rel=1e-5)


@given(
    frames=st.integers(0, 40),
    seed=st.integers(0, 99),
    kind=st.sampled_from([CONFIGS[1], NEMO_FRONT_END]),
)
def test_tensorflow_normalizes_as_numpy(frames, seed, kind):
    rng = np.random.default_rng(seed)
    features = rng.normal(-7, rng.uniform(0.1, 4), (frames, 80)).astype(np.float32)
    mean, std = (rng.uniform(1, 3, 80).astype(np.float32) for _ in range(2))
    expected = normalize(features, kind, mean, std)
    np.testing.assert_allclose(normalize_tf(features, kind, mean, std), expected, atol=1e-4)


def test_an_utterance_is_normalized_by_itself(an4_audio):
    features = log_mel(an4_audio[0], NEMO_FRONT_END)
    normal = normalize(features, NEMO_FRONT_END, BINS + 5, BINS + 7)
    np.testing.assert_allclose(normal.mean(axis=0), 0, atol=1e-4)
    np.testing.assert_allclose(normal.std(axis=0, ddof=1), 1, atol=1e-4)


def test_json_holds_the_first_six_fields_and_what_differs():
    names = ["sample_rate", "frame_ms", "hop_ms", "mel_bins", "low_hz", "high_hz"]
    assert list(CONFIG.to_json()) == names
    for config in (*CONFIGS, dataclasses.replace(CONFIG, log_floor=1e-5)):
        assert FrontEndConfig(**config.to_json()) == config
    assert NEMO_FRONT_END.to_json().keys() == set(names) | {
        "preemphasis",
        "window",
        "centred",
        "mel_scale",
        "log_floor",
        "normalization",
    }


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("samples", [0, 399, 3000, 4001, 9999])
def test_blocks_are_those_of_the_whole(monkeypatch, config, samples):
    """Whatever the blocks, with what windows at their edges see beyond them."""
    audio = np.random.default_rng(0).normal(0.1, 0.2, samples).astype(np.float32)
    stats = np.full(config.mel_bins, -3, np.float32), np.full(config.mel_bins, 2, np.float32)
    whole = log_mel(audio, config)
    normalized = normalize(whole, config, *stats)
    monkeypatch.setattr(front_end, "BLOCK_FRAMES", 7)
    monkeypatch.setattr(front_end, "FFT_FRAMES", 3)
    features = log_mel(audio, config)
    np.testing.assert_allclose(features, whole, atol=1e-5)
    np.testing.assert_allclose(normalize(features, config, *stats), normalized, atol=1e-4)
    assert normalize(features, config, *stats, out=features) is features
    np.testing.assert_allclose(features, normalized, atol=1e-4)


@pytest.mark.parametrize("config", [LEVELLED_FRONT_END, NEMO_FRONT_END])
def test_memory_of_a_long_recording(config):
    """Its features, and no spectra but those of a block."""
    audio = np.zeros(300 * 16000, np.float32)
    tracemalloc.start()
    try:
        features = log_mel(audio, config)
        normalize(features, config, BINS, BINS + 1, out=features)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < features.nbytes + 40e6  # all spectra of five minutes are 123 MB
