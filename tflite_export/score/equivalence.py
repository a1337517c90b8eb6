"""Is a model as good as its baseline? A verdict by an equivalence margin.

That the interval of a difference contains zero says little: with few utterances it always does. A
model is called lossless only where the whole interval lies within a margin on both sides of zero
(two one-sided tests: Schuirmann, 1987).

Where several models are compared at once, the smallest of those that pass would be the luckiest.
So each interval is widened until all of them hold together with 95% (Bonferroni): with `n`
comparisons each is that of the level 1 - 0.05/n. The far tails of a bootstrap need more draws than
were made, and files of results hold 95% intervals: each side is stretched by the ratio of the
normal distribution's quantiles, about 1.5 for 15 comparisons.
"""

import dataclasses
import statistics
from typing import Literal

from tflite_export.score.statistics import LEVEL

MARGIN = 0.01  # of the word error rate: one point

Verdict = Literal["lossless", "worse", "better", "not shown"]


@dataclasses.dataclass(frozen=True)
class Judgement:
    """What a paired difference shows.

    Attributes:
        verdict: `lossless`: the interval lies within the margin; `worse` or `better`: it lies on
            one side of zero and not within the margin; `not shown`: none of these.
        interval: that it goes by, of all comparisons together.
    """

    verdict: Verdict
    interval: tuple[float, float]


def judge(
    difference: float,
    interval: tuple[float, float],
    comparisons: int = 1,
    margin: float = MARGIN,
) -> Judgement:
    """The verdict on an error rate's difference to a baseline.

    Args:
        difference: error rate minus that of the baseline, as a share.
        interval: its 95% interval.
        comparisons: how many such verdicts are given together.
        margin: difference that counts as none.
    """
    low, high = simultaneous_interval(difference, interval, comparisons)
    verdict: Verdict = "not shown"
    if -margin <= low and high <= margin:
        verdict = "lossless"
    elif low > 0:
        verdict = "worse"
    elif high < 0:
        verdict = "better"
    return Judgement(verdict, (low, high))


def simultaneous_interval(
    difference: float, interval: tuple[float, float], comparisons: int
) -> tuple[float, float]:
    """A 95% interval widened to one of several that hold together with 95%.

    Args:
        difference: the estimate, within the interval.
        interval: of it alone.
        comparisons: number of intervals.

    Raises:
        ValueError: no comparison.
    """
    if comparisons < 1:
        raise ValueError(f"comparisons: {comparisons}: there is at least one")
    quantile = statistics.NormalDist().inv_cdf
    tail = (1 - LEVEL) / 2
    stretch = quantile(1 - tail / comparisons) / quantile(1 - tail)
    low, high = interval
    return difference - stretch * (difference - low), difference + stretch * (high - difference)
