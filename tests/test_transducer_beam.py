"""The beam search of a transducer against the enumeration of all alignments."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.decoding.transducer_beam import beam_transducer
from asr_qat.decoding.transducer_greedy import greedy_transducer
from asr_qat.losses.transducer import transducer_loss
from tests.search_fixtures import (
    EVERYTHING,
    RandomModel,
    all_sums,
    greedy_loop,
    lengths_of_batch,
    scores,
    utterances,
)


@given(
    st.lists(st.integers(0, 3), min_size=1, max_size=2),
    st.integers(2, 3),
    st.integers(1, 2),
    st.booleans(),
    st.integers(0, 99),
)
def test_wide_beam_gives_the_sums_over_all_alignments(
    lengths, classes, max_symbols, normalise, seed
):
    model = RandomModel(classes, seed)
    encoded, lengths = utterances(lengths, seed)
    result = beam_transducer(
        model, encoded, lengths, EVERYTHING, max_symbols, EVERYTHING, normalise
    )
    for row, length in enumerate(lengths):
        expected = all_sums(model, encoded[row, :length], max_symbols)
        assert scores(result[row]) == pytest.approx(expected, abs=1e-5)
        # Probabilities: what is missing is what would exceed the cap.
        assert sum(math.exp(h.score) for h in result[row]) < 1 + 1e-6
        ranks = [h.score / (1 + len(h.tokens)) if normalise else h.score for h in result[row]]
        assert ranks == sorted(ranks, reverse=True)


@given(
    lengths_of_batch, st.integers(2, 5), st.integers(1, 4), st.integers(1, 3), st.integers(0, 99)
)
def test_beam_of_a_batch_is_that_of_each_utterance(lengths, classes, beam, max_symbols, seed):
    model = RandomModel(classes, seed)
    encoded, lengths = utterances(lengths, seed)
    result = beam_transducer(model, encoded, lengths, beam, max_symbols, nbest=beam)
    for row, length in enumerate(lengths):
        alone = encoded[row : row + 1, :length], lengths[row : row + 1]
        (expected,) = beam_transducer(model, *alone, beam, max_symbols, nbest=beam)
        assert [h.tokens for h in result[row]] == [h.tokens for h in expected]
        assert scores(result[row]) == pytest.approx(scores(expected), abs=1e-5)
        assert 1 <= len(result[row]) <= beam
        assert beam_transducer(model, *alone, beam, max_symbols) == [expected[:1]]


@given(st.integers(1, 3), st.integers(1, 6), st.integers(0, 99))
def test_narrow_beam_never_counts_an_alignment_twice(time, beam, seed):
    model = RandomModel(3, seed)
    encoded, lengths = utterances([time], seed)
    (result,) = beam_transducer(model, encoded, lengths, beam, 2, nbest=beam)
    exact = all_sums(model, encoded[0, :time], 2)
    for labels, score in scores(result).items():
        assert score <= exact[labels] + 1e-5


@pytest.mark.parametrize("seed", range(10))
def test_beam_is_no_worse_than_greedy(seed):
    model = RandomModel(6, seed)
    encoded, lengths = utterances([12], seed)
    labels, path = greedy_loop(model, encoded[0, :12], 3)
    (result,) = beam_transducer(model, encoded, lengths, 16, 3, normalise=False)
    assert greedy_transducer(model, encoded, lengths, 3) == [labels]
    assert result[0].score >= path - 1e-6


def test_beam_search_finds_more_than_greedy():
    """On most models the best label sequence is not that of the best alignment's steps."""
    better = 0
    for seed in range(20):
        model = RandomModel(3, seed)
        encoded, lengths = utterances([3], seed)
        exact = all_sums(model, encoded[0, :3], 2)
        best = max(exact, key=exact.get)
        (result,) = beam_transducer(model, encoded, lengths, 8, 2, normalise=False)
        better += result[0].tokens == best
        better -= tuple(greedy_transducer(model, encoded, lengths, 2)[0]) == best
    assert better >= 5


def test_sums_are_those_of_the_loss():
    """A cap that no sequence of this length reaches: all alignments of the lattice."""
    model = RandomModel(4, seed=5)
    encoded, lengths = utterances([3], seed=5)
    (result,) = beam_transducer(model, encoded, lengths, EVERYTHING, 2, EVERYTHING)
    found = scores(result)
    for labels in [(0, 1), (2, 2), (1, 0)]:
        logits = np.array(
            [[model.log_probs(encoded[0, t], labels[:u]) for u in range(3)] for t in range(3)]
        )
        loss = transducer_loss(
            logits[None].astype(np.float32), *(np.int32([n]) for n in (labels, 3, 2))
        )
        assert found[labels] == pytest.approx(-float(loss[0]), abs=1e-5)


def test_alignments_with_the_same_labels_are_merged():
    """Three frames, one label or none in each, a coin at each step."""

    class Coin(RandomModel):
        def join(self, encoded, predicted):
            return np.zeros((len(encoded), 2), np.float32)

    encoded, lengths = utterances([3])
    (result,) = beam_transducer(Coin(2), encoded, lengths, 8, 1, 8, normalise=False)
    expected = {(0,) * n: math.log(math.comb(3, n) / 2 ** (3 + n)) for n in range(4)}
    assert scores(result) == pytest.approx(expected)
    assert [len(h.tokens) for h in result] == [1, 0, 2, 3]  # 3/16, 2/16, 3/32, 1/64


def test_each_label_sequence_is_predicted_once():
    model = RandomModel(3, seed=3)
    encoded, lengths = utterances([3, 2], seed=3)
    beam_transducer(model, encoded[:1], lengths[:1], EVERYTHING, 2)
    assert len(set(model.predicted_rows)) == len(model.predicted_rows)
    assert len(model.predicted_rows) == sum(2**n for n in range(7))  # up to six labels
    model.predicted_rows.clear()
    encoded, lengths = utterances([30], seed=3)
    beam_transducer(model, encoded, lengths, 4, 2)
    assert len(model.predicted_rows) <= 1 + 30 * 2 * 4  # survivors only


def test_ties_at_the_edge_of_the_beam():
    """Labels 1 and 3 are the best, 0, 2 and 4 equal: the beam has room for one of them."""

    class Tied(RandomModel):
        def join(self, encoded, predicted):
            return np.tile(np.float32([1, 2, 1, 3, 1, 9]), [len(encoded), 1])

    encoded, lengths = utterances([1])
    (result,) = beam_transducer(Tied(6), encoded, lengths, 3, 1, 3, normalise=False)
    assert [h.tokens for h in result] == [(), (3,), (1,)]
    (result,) = beam_transducer(Tied(6), encoded, lengths, 4, 1, 4, normalise=False)
    assert [h.tokens for h in result] == [(), (3,), (1,), (0,)]
    # The fourth label of the frame's beam of three is not predicted.
    model = Tied(6)
    beam_transducer(model, encoded, lengths, 3, 1)
    assert len(model.predicted_rows) == 1 + 3
