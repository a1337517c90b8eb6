"""Error rates against jiwer, and bootstrap intervals against brute force."""

import itertools

import jiwer
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tflite_export.score import statistics
from tflite_export.score.statistics import (
    ErrorCounts,
    character_errors,
    interval,
    paired_interval,
    speaker_interval,
    word_errors,
)

pytestmark = pytest.mark.runtime

words = st.lists(st.sampled_from(["one", "two", "three", "four"]), max_size=6).map(" ".join)
references = words.filter(bool)
pairs = st.lists(st.tuples(references, words), min_size=1, max_size=6)


@given(pairs)
def test_the_rates_are_those_of_jiwer(pairs):
    expected, got = (list(texts) for texts in zip(*pairs, strict=True))
    assert word_errors(expected, got).rate == pytest.approx(jiwer.wer(expected, got))
    assert character_errors(expected, got).rate == pytest.approx(jiwer.cer(expected, got))


def test_a_known_example():
    counts = word_errors(["a b c d", "e f"], ["a x c", "e f g"])
    assert counts.errors.tolist() == [2, 1]  # x for b and d left out; g put in
    assert counts.lengths.tolist() == [4, 2]
    assert counts.rate == 0.5
    assert character_errors(["a b", "cd"], ["ab", "cd"]).errors.tolist() == [1, 0]


def test_an_utterance_without_words_or_without_hypothesis():
    counts = word_errors(["", "one two"], ["three", ""])
    assert counts.errors.tolist() == [1, 2]
    assert counts.lengths.tolist() == [0, 2]


def test_texts_of_another_number_are_refused():
    with pytest.raises(ValueError):
        word_errors(["one", "two"], ["one"])


def sample(rng, utterances: int) -> ErrorCounts:
    lengths = rng.integers(1, 12, utterances)
    return ErrorCounts(rng.binomial(lengths, rng.beta(2, 8, utterances)), lengths)


def test_the_interval_is_that_of_all_draws():
    """With four utterances there are 256 draws, all equally likely."""
    counts = ErrorCounts(np.array([0, 1, 2, 5]), np.array([7, 5, 9, 6]))
    rates = [
        sum(counts.errors[list(draw)]) / sum(counts.lengths[list(draw)])
        for draw in itertools.product(range(4), repeat=4)
    ]
    expected = np.percentile(rates, [2.5, 97.5])
    np.testing.assert_allclose(interval(counts), expected, atol=0.02)


def test_the_intervals_against_a_loop():
    rng = np.random.default_rng(0)
    system = sample(rng, 9)
    baseline = ErrorCounts(rng.binomial(system.lengths, 0.3), system.lengths)
    draws = np.random.default_rng(5).integers(0, 9, (statistics.RESAMPLES, 9))
    rates, differences = [], []
    for draw in draws:
        length = sum(system.lengths[i] for i in draw)
        errors = sum(system.errors[i] for i in draw)
        rates.append(errors / length)
        differences.append((errors - sum(baseline.errors[i] for i in draw)) / length)
    np.testing.assert_allclose(interval(system, 5), np.quantile(rates, [0.025, 0.975]))
    np.testing.assert_allclose(
        paired_interval(system, baseline, 5), np.quantile(differences, [0.025, 0.975])
    )


def test_the_interval_covers_the_true_rate(monkeypatch):
    monkeypatch.setattr(statistics, "RESAMPLES", 500)
    rng = np.random.default_rng(1)
    truth = 0.2  # the mean of beta(2, 8), independent of the length
    trials = 300
    covered = 0
    for _ in range(trials):
        low, high = interval(sample(rng, 60))
        covered += low <= truth <= high
    assert 0.90 < covered / trials < 0.99


def test_the_interval_holds_the_rate_and_repeats():
    counts = sample(np.random.default_rng(2), 40)
    low, high = interval(counts)
    assert low < counts.rate < high
    assert interval(counts) == (low, high)


def test_a_system_against_itself():
    counts = sample(np.random.default_rng(3), 20)
    assert paired_interval(counts, counts) == (0, 0)


def test_pairing_cancels_what_is_hard_for_both():
    rng = np.random.default_rng(4)
    system = sample(rng, 80)
    worse = ErrorCounts(system.errors + (rng.random(80) < 0.3), system.lengths)
    low, high = paired_interval(worse, system)
    assert 0 < low < worse.rate - system.rate < high
    own = interval(worse)
    assert high - low < (own[1] - own[0]) / 2


def trainings(rng, speakers, seeds: int):
    """Errors of two systems `[seeds, utterances]`, lengths and speakers."""
    lengths = rng.integers(1, 9, len(speakers))
    own, other = (rng.binomial(lengths, rate, (seeds, len(speakers))) for rate in (0.4, 0.2))
    return own, other, lengths, np.array(speakers)


def test_the_interval_over_speakers_and_seeds_against_all_draws():
    """Three speakers and two seeds: 27 x 4 draws, all equally likely."""
    own, other, lengths, speakers = trainings(np.random.default_rng(0), [4, 0, 4, 9, 9, 9, 0], 2)
    differences = []
    for who in itertools.product((0, 4, 9), repeat=3):
        for seeds in itertools.product(range(2), repeat=2):
            more = words = 0
            for speaker, seed in itertools.product(who, seeds):
                said = speakers == speaker
                more += (own[seed, said] - other[seed, said]).sum()
                words += lengths[said].sum()
            differences.append(more / words)
    found = speaker_interval(own, other, lengths, speakers)
    # Between neighbours of the quantiles: so few draws have few values.
    ordered = np.sort(differences)
    for bound, share in zip(found, (0.025, 0.975), strict=True):
        least, most = (np.quantile(ordered, np.clip(share + d, 0, 1)) for d in (-0.01, 0.01))
        assert least - 1e-12 <= bound <= most + 1e-12


def test_the_interval_over_speakers_and_seeds_against_a_loop():
    speakers = [0, 0, 1, 2, 2, 2, 3, 1, 4]
    own, other, lengths, numbers = trainings(np.random.default_rng(1), speakers, 3)
    rng = np.random.default_rng(5)
    who = rng.integers(0, 5, (statistics.RESAMPLES, 5))
    seeds = rng.integers(0, 3, (statistics.RESAMPLES, 3))
    differences = []
    for drawn_speakers, drawn_seeds in zip(who.tolist(), seeds.tolist(), strict=True):
        said = [i for speaker in drawn_speakers for i in range(9) if speakers[i] == speaker]
        more = sum(own[seed, i] - other[seed, i] for seed in drawn_seeds for i in said)
        differences.append(more / (3 * sum(lengths[i] for i in said)))
    np.testing.assert_allclose(
        speaker_interval(own, other, lengths, numbers, 5), np.quantile(differences, [0.025, 0.975])
    )


def test_speakers_and_seeds_that_are_alike_change_nothing():
    lengths, speakers = np.full(6, 4), np.array([0, 0, 1, 1, 2, 2])
    own, other = np.full((3, 6), 2), np.full((3, 6), 1)
    assert speaker_interval(own, other, lengths, speakers) == pytest.approx((0.25, 0.25))


def test_seeds_that_differ_widen_the_interval():
    rng = np.random.default_rng(2)
    own, other, lengths, _ = trainings(rng, range(60), 1)
    own, other = np.repeat(own, 3, 0), np.repeat(other, 3, 0)
    alone = speaker_interval(own, other, lengths, np.arange(60))
    worse = own + np.array([[0], [1], [2]])
    low, high = speaker_interval(worse, other, lengths, np.arange(60))
    assert high - low > 1.5 * (alone[1] - alone[0])


def test_with_single_utterances_and_one_seed_it_is_the_paired_interval():
    own, other, lengths, speakers = trainings(np.random.default_rng(3), range(40), 1)
    expected = paired_interval(ErrorCounts(own[0], lengths), ErrorCounts(other[0], lengths))
    assert speaker_interval(own, other, lengths, speakers) == pytest.approx(expected)


def test_one_speaker_says_nothing_of_others():
    own, other, lengths, speakers = trainings(np.random.default_rng(4), [0] * 8, 3)
    assert speaker_interval(own, other, lengths, speakers) is None
