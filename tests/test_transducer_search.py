"""Both searches of a transducer: batches, caps, ties, limits, and what they refuse."""

import math
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.decoding.hypothesis import Hypothesis, format_nbest
from asr_qat.decoding.transducer_beam import beam_transducer
from asr_qat.decoding.transducer_greedy import greedy_transducer
from asr_qat.errors import UserError
from tests.search_fixtures import (
    JOINT,
    RandomModel,
    greedy_loop,
    lengths_of_batch,
    utterances,
)

pytestmark = pytest.mark.runtime


@given(
    lengths_of_batch, st.integers(2, 5), st.integers(1, 3), st.integers(-2, 3), st.integers(0, 99)
)
def test_greedy_batch_is_a_loop_over_utterances(lengths, classes, max_symbols, blank_bias, seed):
    model = RandomModel(classes, seed, blank_bias)
    encoded, lengths = utterances(lengths, seed)
    result = greedy_transducer(model, encoded, lengths, max_symbols)
    assert len(model.predicted_rows) == len(lengths) + sum(map(len, result))
    for row, length in enumerate(lengths):
        assert result[row] == greedy_loop(model, encoded[row, :length], max_symbols)[0]
        assert all(type(label) is int for label in result[row])


def test_a_sure_blank_ends_the_frame():
    """The cap is far away: hypotheses stop growing where they cannot win."""
    model = RandomModel(4, blank_bias=20.0)
    encoded, lengths = utterances([30])
    joins = 0

    def join(*given):
        nonlocal joins
        joins += 1
        return RandomModel.join(model, *given)

    model.join = join
    beam_transducer(model, encoded, lengths, 4, max_symbols=10)
    assert joins <= 2 * 30 + 10


@pytest.mark.parametrize("max_symbols", [1, 2, 3])
def test_cap_is_honoured(max_symbols):
    model = RandomModel(4, blank_bias=-30.0)
    encoded, lengths = utterances([5, 3])
    for length, labels in zip(
        lengths, greedy_transducer(model, encoded, lengths, max_symbols), strict=True
    ):
        assert len(labels) == length * max_symbols
    for length, hypotheses in zip(
        lengths, beam_transducer(model, encoded, lengths, 4, max_symbols, 4), strict=True
    ):
        assert max(len(h.tokens) for h in hypotheses) <= length * max_symbols


@pytest.mark.parametrize("classes, beam", [(4, 4), (6, 3), (3, 1)])
def test_ties_keep_the_order_of_classes(classes, beam):
    class Uniform(RandomModel):
        def join(self, encoded, predicted):
            return np.zeros((len(encoded), classes), np.float32)

    model = Uniform(classes)
    encoded, lengths = utterances([1])
    assert greedy_transducer(model, encoded, lengths, 2) == [[0, 0]]
    (result,) = beam_transducer(model, encoded, lengths, beam, 1, beam, normalise=False)
    assert [h.tokens for h in result] == [(), *((label,) for label in range(beam - 1))]


@pytest.mark.parametrize("scale", [0.0, 1e4])
def test_long_utterances_are_stable(scale):
    """Probabilities far below the smallest float, and logits far beyond what exp can take."""
    model = RandomModel(8, seed=1, scale=scale)
    encoded, lengths = utterances([400])
    with np.errstate(over="raise", invalid="raise"):
        (result,) = beam_transducer(model, encoded, lengths, 4, 1, 4)
    assert all(math.isfinite(h.score) and h.score <= 0 for h in result)
    if scale == 0:  # a blank in each frame, labels anywhere: the sum over the places
        best = max(result, key=lambda h: h.score)
        exact = math.lgamma(401) - math.lgamma(401 - len(best.tokens))
        exact -= math.lgamma(1 + len(best.tokens)) + (400 + len(best.tokens)) * math.log(8)
        assert best.score <= exact + 1e-9


def test_impossible_classes_are_never_emitted():
    class Masked(RandomModel):
        def join(self, encoded, predicted):
            logits = np.array(super().join(encoded, predicted))
            logits[:, 1] = -np.inf
            return logits

    encoded, lengths = utterances([4], seed=2)
    (result,) = beam_transducer(Masked(3, seed=2), encoded, lengths, 50, 2, 50)
    assert all(set(h.tokens) <= {0} and math.isfinite(h.score) for h in result)
    assert len(result) == 9  # no label to eight


def test_utterances_without_frames_are_empty():
    model = RandomModel(3, blank_bias=-30.0)
    encoded = np.full((2, 0, JOINT), np.nan, np.float32)
    assert greedy_transducer(model, encoded, np.zeros(2, np.int32)) == [[], []]
    assert (
        beam_transducer(model, encoded, np.zeros(2, int), 3, nbest=3) == [[Hypothesis((), 0.0)]] * 2
    )


@pytest.mark.parametrize("bad", [{"beam": 0}, {"nbest": 0}, {"nbest": 5}, {"max_symbols": 0}])
def test_values_out_of_range_are_user_errors(bad):
    model = RandomModel(3)
    encoded, lengths = utterances([2])
    with pytest.raises(UserError, match=next(iter(bad))):
        beam_transducer(model, encoded, lengths, **{"beam": 4, **bad})
    with pytest.raises(UserError, match="max_symbols is 0"):
        greedy_transducer(model, encoded, lengths, max_symbols=0)


def test_nbest_text():
    nbest = [Hypothesis((0, 1), -1.5), Hypothesis((), -0.75)]
    text = format_nbest(nbest, lambda tokens: " ".join("ab"[t] for t in tokens))
    assert text == "1\t-1.500\t-0.500\ta b\n2\t-0.750\t-0.750\t"


def test_searches_need_no_tensorflow():
    code = (
        "import sys, asr_qat.decoding.transducer_beam, asr_qat.decoding.transducer_greedy;"
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
