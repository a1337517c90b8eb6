"""Transducer searches against loops and the enumeration of all alignments, on a random RNN."""

import math
import subprocess
import sys
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_qat.decoding.hypothesis import Hypothesis, format_nbest
from asr_qat.decoding.transducer_beam import beam_transducer
from asr_qat.decoding.transducer_greedy import greedy_transducer
from asr_qat.errors import UserError
from asr_qat.losses.transducer import transducer_loss

JOINT, UNITS = 5, 4
EVERYTHING = 10**6  # a beam that drops nothing


class RandomModel:
    """A transducer whose state, in two parts, depends on all labels so far."""

    def __init__(self, classes, seed=0, blank_bias=0.0, scale=2.0):
        rng = np.random.default_rng(seed)
        self.blank = classes - 1
        self.embedding = rng.standard_normal((classes, UNITS))
        self.recurrent = rng.standard_normal((UNITS, UNITS))
        self.slow = rng.standard_normal((UNITS, 3))
        self.out = rng.standard_normal((UNITS + 3, JOINT))
        self.kernel = scale * rng.standard_normal((JOINT, classes))
        self.bias = np.zeros(classes)
        self.bias[-1] = blank_bias
        self.predicted_rows = []  # label and state of each row of `predict`

    def initial_state(self, rows):
        return read_only(np.zeros((rows, UNITS))), read_only(np.zeros((rows, 3)))

    def predict(self, labels, state):
        assert labels.dtype == np.int32 and labels.ndim == 1 and len(labels)
        assert all(part.dtype == np.float32 for part in state)
        rows = np.concatenate([labels[:, None], *state], axis=1)
        self.predicted_rows += [row.tobytes() for row in rows]
        fast = np.tanh(self.embedding[labels] + state[0] @ self.recurrent)
        slow = 0.5 * state[1] + fast @ self.slow
        predicted = np.concatenate([fast, slow], axis=1) @ self.out
        return read_only(predicted), (read_only(fast), read_only(slow))

    def join(self, encoded, predicted):
        assert encoded.shape == predicted.shape and len(encoded)
        assert np.isfinite(encoded).all()  # padding is not to be looked at
        return read_only(np.tanh(encoded + predicted) @ self.kernel + self.bias)

    def log_probs(self, frame, labels):
        """Float64 `[classes]` after `labels`, from the beginning."""
        state = self.initial_state(1)
        for label in (self.blank, *labels):
            predicted, state = self.predict(np.array([label], np.int32), state)
        logits = self.join(frame[None], predicted)[0].astype(np.float64)
        return logits - np.log(np.exp(logits).sum())


def read_only(values):
    values = values.astype(np.float32)
    values.flags.writeable = False
    return values


def utterances(lengths, seed=0):
    """Encoded `[batch, time, joint]`; no number is beyond the lengths."""
    rng = np.random.default_rng(seed)
    encoded = rng.standard_normal((len(lengths), max(lengths) + 1, JOINT)).astype(np.float32)
    for row, length in enumerate(lengths):
        encoded[row, length:] = np.nan
    return encoded, np.array(lengths, np.int32)


def greedy_loop(model, encoded, max_symbols):
    """Labels of one utterance, and the log-probability of the alignment that gave them."""
    labels, score = [], 0.0
    for frame in encoded:
        for symbols in range(max_symbols + 1):
            log_probs = model.log_probs(frame, labels)
            best = model.blank if symbols == max_symbols else int(log_probs.argmax())
            score += log_probs[best]
            if best == model.blank:
                break
            labels.append(best)
    return labels, score


def all_sums(model, encoded, max_symbols):
    """Log-probability of each label sequence, summed over the alignments that obey the cap."""
    totals = defaultdict(float)

    def walk(time, symbols, labels, score):
        if time == len(encoded):
            totals[labels] += math.exp(score)
            return
        log_probs = model.log_probs(encoded[time], labels)
        walk(time + 1, 0, labels, score + log_probs[model.blank])
        if symbols < max_symbols:
            for label in range(model.blank):
                walk(time, symbols + 1, (*labels, label), score + log_probs[label])

    walk(0, 0, (), 0.0)
    return {labels: math.log(total) for labels, total in totals.items()}


def scores(hypotheses):
    assert len({h.tokens for h in hypotheses}) == len(hypotheses)
    return {h.tokens: h.score for h in hypotheses}


lengths_of_batch = st.lists(st.integers(0, 7), min_size=1, max_size=4)


@settings(deadline=None, max_examples=60)
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


@settings(deadline=None, max_examples=40)
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


@settings(deadline=None, max_examples=60)
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


@settings(deadline=None, max_examples=40)
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
