"""Searches of token-and-duration transducers: against loops, enumeration and NeMo's own."""

import math
from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.decoding.recognition import recognise_transducer
from asr_qat.decoding.transducer_beam import beam_transducer
from asr_qat.decoding.transducer_greedy import greedy_transducer
from tests.nemo_reference import LENGTHS, NAMES, NeMoSteps, nemo
from tests.search_fixtures import (
    EVERYTHING,
    RandomModel,
    lengths_of_batch,
    scores,
    utterances,
)

pytestmark = pytest.mark.runtime

DURATIONS = (0, 1, 3)


def random_model(classes, seed, blank_bias=0.0):
    return RandomModel(classes, seed, blank_bias, durations=DURATIONS)


def greedy_loop(model, encoded, max_symbols):
    """Labels of one utterance, and the log-probability of an alignment with them.

    Where the cap ends a frame, that is by a blank.
    """
    labels, frame, symbols, score = [], 0, 0, 0.0
    while frame < len(encoded):
        tokens = model.log_probs(encoded[frame], labels)
        durations = model.log_durations(encoded[frame], labels)
        best, duration = int(tokens.argmax()), max(durations, key=durations.get)
        score += tokens[best] + durations[duration]
        if best == model.blank:
            frame, symbols = frame + max(duration, 1), 0
            continue
        labels.append(best)
        symbols += 1
        if duration or symbols == max_symbols:
            if not duration:
                score += model.log_probs(encoded[frame], labels)[model.blank]
                score += model.log_durations(encoded[frame], labels)[1]
            frame, symbols = frame + max(duration, 1), 0
    return labels, score


def all_sums(model, encoded, max_symbols):
    """Log-probability of each label sequence, summed over the alignments that obey the cap."""
    totals, end = defaultdict(float), len(encoded)

    def walk(frame, symbols, labels, score):
        if frame >= end:
            totals[labels] += math.exp(score)
            return
        tokens = model.log_probs(encoded[frame], labels)
        for duration, lasting in model.log_durations(encoded[frame], labels).items():
            walk(frame + max(duration, 1), 0, labels, score + tokens[model.blank] + lasting)
            if symbols == max_symbols:
                continue
            left = 0 if duration else symbols + 1
            for label in range(model.blank):
                ways = score + tokens[label] + lasting
                walk(frame + duration, left, (*labels, label), ways)

    walk(0, 0, (), 0.0)
    return {labels: math.log(total) for labels, total in totals.items()}


@given(
    lengths_of_batch, st.integers(2, 5), st.integers(1, 3), st.integers(-2, 3), st.integers(0, 99)
)
def test_greedy_batch_is_a_loop_over_utterances(lengths, classes, max_symbols, blank_bias, seed):
    model = random_model(classes, seed, blank_bias)
    encoded, lengths = utterances(lengths, seed)
    result = greedy_transducer(model, encoded, lengths, max_symbols)
    for row, length in enumerate(lengths):
        assert result[row] == greedy_loop(model, encoded[row, :length], max_symbols)[0]


@given(st.lists(st.integers(0, 3), min_size=1, max_size=2), st.integers(1, 2), st.integers(0, 99))
def test_wide_beam_gives_the_sums_over_all_alignments(lengths, max_symbols, seed):
    model = random_model(2, seed)
    encoded, lengths = utterances(lengths, seed)
    result = beam_transducer(model, encoded, lengths, EVERYTHING, max_symbols, EVERYTHING)
    for row, length in enumerate(lengths):
        expected = all_sums(model, encoded[row, :length], max_symbols)
        assert scores(result[row]) == pytest.approx(expected, abs=1e-5)
        # Probabilities: what is missing is what would exceed the cap.
        assert sum(math.exp(h.score) for h in result[row]) < 1 + 1e-6


@given(lengths_of_batch, st.integers(2, 4), st.integers(1, 4), st.integers(0, 99))
def test_beam_of_a_batch_is_that_of_each_utterance(lengths, classes, beam, seed):
    model = random_model(classes, seed)
    encoded, lengths = utterances(lengths, seed)
    result = beam_transducer(model, encoded, lengths, beam, 2, nbest=beam)
    for row, length in enumerate(lengths):
        alone = encoded[row : row + 1, :length], lengths[row : row + 1]
        (expected,) = beam_transducer(model, *alone, beam, 2, nbest=beam)
        assert scores(result[row]) == pytest.approx(scores(expected), abs=1e-5)
        exact = all_sums(model, encoded[row, : min(length, 3)], 2) if length <= 3 else {}
        for labels, score in scores(result[row]).items() if exact else ():
            assert score <= exact[labels] + 1e-5  # no alignment counts twice


@pytest.mark.parametrize("seed", range(10))
def test_beam_is_no_worse_than_greedy(seed):
    model = random_model(6, seed)
    encoded, lengths = utterances([12], seed)
    _, path = greedy_loop(model, encoded[0, :12], 3)
    (result,) = beam_transducer(model, encoded, lengths, 16, 3, normalise=False)
    assert result[0].score >= path - 1e-6


def test_recognition_keeps_the_logits_of_durations():
    model = random_model(4, 3)
    encoded, _ = utterances([6], 3)
    found = recognise_transducer(model, encoded[0, :6])
    assert found.tokens == greedy_loop(model, encoded[0, :6], 10)[0]
    assert found.logits.shape[1] == 4 + len(DURATIONS)
    assert recognise_transducer(model, encoded[0, :0]).logits.shape == (0, 4 + len(DURATIONS))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("cap", [1, 2, 10])
def test_greedy_search_is_that_of_nemo(name, cap):
    """`greedy_batch` of NeMo 3.0.0, on networks of its own."""
    case = nemo(name)
    steps = NeMoSteps(case)
    found = greedy_transducer(steps, steps.encode(case["encoded"]), LENGTHS, cap)
    assert found == [[t for t in row if t >= 0] for row in case[f"greedy_{cap}"].tolist()]


def test_networks_of_nemo_emit():
    lengths = [np.sum(nemo(name)["greedy_10"] >= 0) for name in NAMES]
    assert np.count_nonzero(lengths) > len(NAMES) // 2


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("tdt")])
def test_beam_search_finds_what_that_of_nemo_finds(name):
    """NeMo's `beam` keeps the endings of a hypothesis apart, ours adds them: it scores higher."""
    case = nemo(name)
    steps = NeMoSteps(case)
    encoded = steps.encode(case["encoded"])
    found = beam_transducer(steps, encoded, LENGTHS, 8, nbest=8, normalise=False)
    for nbest, row, score in zip(found, case["beam_tokens"], case["beam_scores"], strict=True):
        tokens = tuple(t for t in row.tolist() if t >= 0)
        assert nbest[0].score >= score - 1e-4
        assert tokens in scores(nbest), (tokens, scores(nbest))
