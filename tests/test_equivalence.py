"""Verdicts by an equivalence margin, and intervals of several comparisons at once."""

import numpy as np
import pytest

from tflite_export.score.equivalence import MARGIN, judge, simultaneous_interval
from tflite_export.score.statistics import ErrorCounts, paired_interval


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (-0.004, 0.006, "lossless"),
        (0.001, 0.006, "lossless"),  # some loss, and less than the margin
        (-0.01, 0.01, "lossless"),
        (-0.004, 0.011, "not shown"),
        (-0.011, 0.004, "not shown"),
        (-0.02, 0.02, "not shown"),  # holds zero, and shows nothing
        (0.0, 0.02, "not shown"),
        (0.001, 0.02, "worse"),
        (0.02, 0.03, "worse"),
        (-0.03, -0.001, "better"),
    ],
)
def test_the_whole_interval_decides(low, high, verdict):
    found = judge((low + high) / 2, (low, high))
    assert found.verdict == verdict
    assert found.interval == pytest.approx((low, high))


def test_another_margin():
    assert judge(0.0, (-0.004, 0.004), margin=0.003).verdict == "not shown"
    assert judge(0.0, (-0.004, 0.004), margin=0.004).verdict == "lossless"
    assert MARGIN == 0.01


def test_more_comparisons_ask_for_more():
    assert judge(0.003, (0.001, 0.0075)).verdict == "lossless"
    assert judge(0.003, (0.001, 0.0075), comparisons=40).verdict == "not shown"
    assert judge(0.02, (0.001, 0.04)).verdict == "worse"
    assert judge(0.02, (0.001, 0.04), comparisons=2).verdict == "not shown"
    with pytest.raises(ValueError, match="at least one"):
        judge(0.0, (0.0, 0.0), comparisons=0)


def test_each_side_is_stretched_by_the_quantiles_of_tables():
    """1.960 for one comparison, 2.576 (99%) for five, 3.291 (99.9%) for fifty."""
    for comparisons, quantile in ((1, 1.95996), (5, 2.57583), (50, 3.29053)):
        low, high = simultaneous_interval(0.1, (0.0, 0.3), comparisons)
        assert 0.1 - low == pytest.approx(0.1 * quantile / 1.95996, rel=1e-4)
        assert high - 0.1 == pytest.approx(0.2 * quantile / 1.95996, rel=1e-4)


@pytest.fixture
def pair():
    """Errors of two recognisers on as many utterances as the AN4 study has."""
    rng = np.random.default_rng(1)
    lengths = rng.integers(1, 12, 209)
    own, other = (rng.binomial(3 * lengths, rate) for rate in (0.13, 0.12))
    return ErrorCounts(own, 3 * lengths), ErrorCounts(other, 3 * lengths)


@pytest.mark.parametrize("comparisons", [3, 15, 47])
def test_the_widened_interval_is_that_of_many_more_draws(pair, comparisons):
    """Against percentiles of 200,000 draws of utterances at the level of each comparison."""
    own, other = pair
    rng = np.random.default_rng(7)
    count = len(own.lengths)
    differences = np.concatenate(
        [
            ((own.errors - other.errors)[draws].sum(axis=1) / own.lengths[draws].sum(axis=1))
            for draws in (rng.integers(0, count, (20_000, count)) for _ in range(10))
        ]
    )
    tail = 100 * 0.025 / comparisons
    expected = np.percentile(differences, [tail, 100 - tail])
    found = simultaneous_interval(own.rate - other.rate, paired_interval(own, other), comparisons)
    np.testing.assert_allclose(found, expected, atol=0.05 * (expected[1] - expected[0]))


def test_false_verdicts_are_rare_in_all_comparisons_together():
    """Of 20 models whose true loss is the margin, one is called lossless in 5% of the studies."""
    rng = np.random.default_rng(0)
    error, studies, models = 0.003, 4000, 20
    estimates = MARGIN + rng.normal(0, error, (studies, models))

    def wrong(comparisons: int) -> float:
        half = 1.96 * error
        found = [
            any(judge(e, (e - half, e + half), comparisons).verdict == "lossless" for e in row)
            for row in estimates[:500]
        ]
        return float(np.mean(found))

    assert wrong(1) > 0.3  # without the correction
    assert wrong(models) < 0.05
