"""Beam searches with language models and hotwords, against the enumeration of all paths."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.decoding.ctc_beam import beam_ctc
from asr_qat.decoding.ctc_greedy import greedy_ctc
from asr_qat.decoding.fusion import WordFusion
from asr_qat.decoding.hotwords import Hotwords
from asr_qat.decoding.kneser_ney import estimate
from asr_qat.decoding.recognition import recognise_transducer
from asr_qat.decoding.transducer_alignment import align_transducer
from asr_qat.decoding.transducer_beam import beam_transducer
from asr_qat.decoding.transducer_times import emitted
from asr_qat.errors import UserError
from tests.search_fixtures import EVERYTHING, RandomModel, all_sums, utterances

pytestmark = pytest.mark.runtime

PARTS = [b" A", b"B", b" B", b" "]  # of labels
TEXTS = ["AB B", "B AB A", "A", "AB AB B", "B B"]
LANGUAGE = estimate(TEXTS, 2)


def fusion(hotwords=(), boost=0.0):
    return WordFusion(PARTS, LANGUAGE, 0.7, 0.4, 1.5, hotwords, boost)


def text_of(labels):
    return b"".join(PARTS[label] for label in labels).decode().split()


def added_to(labels):
    """By the words of the whole text."""
    state, total = LANGUAGE.begin(), 0.0
    for word in text_of(labels):
        state, gained = LANGUAGE.score(state, word)
        total += 0.7 * gained + 0.4 - 1.5 * (word not in ("A", "B", "AB"))
    return total + 0.7 * LANGUAGE.end(state)


def ended(of, labels):
    state = of.begin()
    for label in labels:
        state = of.extend(state, label)
    return of.end(state)


@given(st.lists(st.integers(0, 3), max_size=8))
def test_words_are_scored_as_in_the_whole_text(labels):
    assert ended(fusion(), labels) == pytest.approx(added_to(labels))


def all_ctc_sums(logits):
    """Log-probability of each label sequence over all its paths."""
    log_probs = np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    blank = logits.shape[1] - 1
    totals = {}
    for path in itertools.product(range(blank + 1), repeat=len(logits)):
        labels = tuple(label for label, _ in itertools.groupby(path) if label != blank)
        score = log_probs[range(len(logits)), path].sum()
        totals[labels] = np.logaddexp(totals.get(labels, -np.inf), score)
    return totals


@given(st.integers(0, 5), st.booleans(), st.integers(0, 999))
def test_a_wide_ctc_beam_finds_all_sums(frames, fused, seed):
    logits = np.random.default_rng(seed).standard_normal((frames, 5)) * 2
    exact = all_ctc_sums(logits)
    of = fusion() if fused else None
    found = beam_ctc(logits, EVERYTHING, EVERYTHING, of, -math.inf, math.inf)
    assert {h.tokens: h.score for h in found} == pytest.approx(exact)
    for hypothesis in found:
        expected = added_to(hypothesis.tokens) if fused else 0.0
        assert hypothesis.bonus == pytest.approx(expected)
    assert [h.total for h in found] == sorted((h.total for h in found), reverse=True)


@pytest.mark.parametrize("seed", range(10))
def test_a_narrow_ctc_beam(seed):
    """Never more than the exact sum, no worse than greedy; sure blanks are passed over."""
    rng = np.random.default_rng(seed)
    logits = rng.standard_normal((6, 5)) * 4
    logits[rng.random(6) < 0.4, 4] += 30
    exact = all_ctc_sums(logits)
    found = beam_ctc(logits, 4, 4)
    for hypothesis in found:
        assert hypothesis.score <= exact[hypothesis.tokens] + 1e-9
    greedy = exact[tuple(greedy_ctc(logits, 4))]
    assert found[0].score >= greedy - 0.01  # classes next to impossible are left out
    assert beam_ctc(np.zeros((0, 5)), 4)[0].tokens == ()


@given(st.integers(0, 2), st.integers(0, 99))
def test_a_wide_transducer_beam_finds_all_sums(frames, seed):
    model = RandomModel(5, seed)
    encoded, lengths = utterances([frames], seed)
    (found,) = beam_transducer(
        model, encoded, lengths, EVERYTHING, 2, EVERYTHING, False, fusion(), math.inf
    )
    exact = all_sums(model, encoded[0, :frames], 2)
    assert {h.tokens: h.score for h in found} == pytest.approx(exact, abs=1e-5)
    for hypothesis in found:
        assert hypothesis.bonus == pytest.approx(added_to(hypothesis.tokens))
    assert [h.total for h in found] == sorted((h.total for h in found), reverse=True)


@pytest.mark.parametrize("seed", range(5))
def test_a_narrow_transducer_beam_finds_what_is_added(seed):
    """A hotword that nothing but its boost speaks for."""
    model = RandomModel(5, seed, blank_bias=1.0)
    encoded, lengths = utterances([6], seed)
    of = WordFusion(PARTS, hotwords=("AB",), hotword_boost=50.0)
    ((best,),) = beam_transducer(
        model, encoded, lengths, 8, fusion=of, normalise=False, widest=20.0
    )
    assert "AB" in text_of(best.tokens)


def test_a_hotword_in_ctc():
    """It is found where it is a little less likely, and does no harm where it is not."""
    logits = np.log(np.full((3, 5), 0.01))
    logits[0, 0] = logits[2, 4] = math.log(0.96)
    logits[1, [1, 4]] = np.log([0.3, 0.67])  # A, and maybe AB
    boosted = WordFusion(PARTS, hotwords=("AB",), hotword_boost=2.0)
    assert text_of(beam_ctc(logits, 4)[0].tokens) == ["A"]
    assert text_of(beam_ctc(logits, 4, fusion=boosted)[0].tokens) == ["AB"]
    logits[1, [1, 4]] = np.log([0.001, 0.97])
    assert text_of(beam_ctc(logits, 4, fusion=boosted)[0].tokens) == ["A"]


def said(hotwords, text):
    """Words that are boosted after each letter, and at the end."""
    state, found = hotwords.start, []
    for byte in f"{text} ".encode():
        letter = bytes([byte])
        state = hotwords.end_word(state) if letter == b" " else hotwords.letters(state, letter)
        found.append(state.words)
    return found, state.found


def test_the_boost_grows_with_the_letters_and_is_taken_back():
    hotwords = Hotwords(["ABCD", "NEW YORK", "NEW YORK CITY"])
    assert said(hotwords, "ABCD") == ([0.25, 0.5, 0.75, 1, 1], 1)
    assert said(hotwords, "ABX") == ([0.25, 0.5, 0, 0], 0)
    assert said(hotwords, "ABCDE") == ([0.25, 0.5, 0.75, 1, 0, 0], 0)
    assert said(hotwords, "XABCD")[1] == 0
    growing, found = said(hotwords, "NEW YORK")
    assert growing == pytest.approx([1 / 3, 2 / 3, 1, 1, 1.25, 1.5, 1.75, 2, 2])
    assert found == 2
    growing, found = said(hotwords, "NEW JERSEY")
    assert growing[3:5] == [1, 0] and found == 0
    assert said(hotwords, "NEW YORK CITY")[1] == 3
    assert said(hotwords, "NEW YORK NEW YORK CITY ABCD")[1] == 6
    assert said(Hotwords(["", " "]), "A B") == ([0, 0, 0, 0], 0)


@given(st.lists(st.sampled_from(["A", "B", "AB", "C"]), max_size=8))
def test_words_of_hotwords_count_once(words):
    """Phrases of which none is within another."""
    phrases = [["A", "B"], ["B", "C"], ["AB"]]
    covered = set()
    for at in range(len(words)):
        for phrase in phrases:
            if words[at : at + len(phrase)] == phrase:
                covered |= set(range(at, at + len(phrase)))
    assert said(Hotwords(map(" ".join, phrases)), " ".join(words))[1] == len(covered)


@pytest.mark.parametrize("durations", [(), (0, 1, 2)])
@pytest.mark.parametrize("seed", range(4))
def test_the_alignment_of_a_transducer_is_the_likeliest_path(seed, durations):
    model = RandomModel(3, seed, durations=durations)
    frames, tokens = 3, [0, 1]
    encoded, _ = utterances([frames], seed)
    best, expected = -math.inf, None

    def walk(frame, path, score):
        nonlocal best, expected
        if frame >= frames:
            if len(path) == len(tokens) and score > best:
                best, expected = score, path
            return
        log_probs = model.log_probs(encoded[0, frame], tokens[: len(path)])
        lasting = {1: 0.0}
        if durations:
            lasting = model.log_durations(encoded[0, frame], tokens[: len(path)])
        for ahead, added in lasting.items():
            walk(frame + max(ahead, 1), path, score + log_probs[2] + added)
        if len(path) < len(tokens):
            label = tokens[len(path)]
            for ahead, added in (lasting if durations else {0: 0.0}).items():
                to = (frame, frame + max(ahead, 1) - 1)
                walk(frame + ahead, [*path, to], score + log_probs[label] + added)

    walk(0, [], 0.0)
    for widest in (math.inf, 0.0):  # too narrow a search is made again
        found = align_transducer(model, encoded[0, :frames], tokens, widest)
        assert [label.token for label in found] == tokens
        if widest == math.inf:
            assert [(label.first, label.last) for label in found] == expected


def test_the_alignment_of_what_a_greedy_search_was_sure_of():
    model = RandomModel(4, 3, blank_bias=30.0, scale=20.0)
    encoded, _ = utterances([8], 3)
    found = recognise_transducer(model, encoded[0, :8])
    labels = emitted(found.logits, model.blank)
    aligned = align_transducer(model, encoded[0, :8], found.tokens)
    assert [label.token for label in aligned] == found.tokens
    assert [label.first for label in aligned] == [label.first for label in labels]
    assert align_transducer(model, encoded[0, :8], []) == []
    with pytest.raises(UserError, match="0 frames for 1 label: too few"):
        align_transducer(model, encoded[0, :0], [1])
