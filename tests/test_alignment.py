"""Labels and their frames: a CTC model's by enumeration of all paths, a transducer's by loops."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.decoding.ctc_alignment import align_ctc
from asr_qat.decoding.log_softmax import log_softmax
from asr_qat.decoding.recognition import recognise_transducer
from asr_qat.decoding.timed_label import TimedLabel
from asr_qat.decoding.transducer_heard import heard_at
from asr_qat.decoding.transducer_times import emitted
from asr_qat.errors import UserError
from tests.search_fixtures import RandomModel, utterances

pytestmark = pytest.mark.runtime


def paths(labels, frames, blank):
    """Every path of so many frames whose labels are these."""
    for path in itertools.product([*set(labels), blank], repeat=frames):
        found = [label for label, _ in itertools.groupby(path) if label != blank]
        if found == labels:
            yield path


@given(st.lists(st.integers(0, 2), min_size=1, max_size=3), st.integers(0, 999))
def test_the_alignment_is_the_likeliest_path(labels, seed):
    logits = np.random.default_rng(seed).standard_normal((6, 4)) * 3
    best = max(paths(labels, 6, 3), key=lambda path: logits[range(6), path].sum())
    log_probs = np.log(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True))
    expected, at = [], 0
    for label, run in itertools.groupby(best):
        end = at + len(list(run))
        if label != 3:
            expected.append((label, at, end - 1, pytest.approx(log_probs[at:end, label].max())))
        at = end
    found = align_ctc(logits, labels)
    assert [(x.token, x.first, x.last, x.log_prob) for x in found] == expected


def test_no_labels_and_too_many():
    assert align_ctc(np.zeros((0, 2)), []) == align_ctc(np.zeros((5, 2)), []) == []
    with pytest.raises(UserError, match="3 frames for 3 labels: too few"):
        align_ctc(np.zeros((3, 2)), [0, 0, 0])
    with pytest.raises(UserError, match="0 frames for 1 label: too few"):
        align_ctc(np.zeros((0, 2)), [0])


@pytest.mark.parametrize("durations", [(), (0, 1, 2), (0, 1, 4)])
@pytest.mark.parametrize("seed", range(5))
def test_frames_of_a_transducer(seed, durations):
    model = RandomModel(4, seed, durations=durations)
    encoded, _ = utterances([8], seed)
    expected, labels, frame, symbols = [], [], 0, 0
    while frame < 8:
        log_probs = model.log_probs(encoded[0, frame], labels)
        best = int(log_probs.argmax())
        ahead = int(best == 3)
        if durations:
            of = model.log_durations(encoded[0, frame], labels)
            ahead = max(ahead, max(of, key=of.get))
        if best != 3:
            among = log_probs[best] - np.log(np.exp(log_probs[:3]).sum())
            last = frame + max(ahead, 1) - 1
            expected.append((best, frame, last, pytest.approx(among, abs=1e-5)))
            labels.append(best)
        symbols = 0 if ahead else symbols + 1
        frame += ahead
        if symbols == 10:
            frame, symbols = frame + 1, 0
    found = recognise_transducer(model, encoded[0, :8])
    times = emitted(found.logits, model.blank, durations)
    assert [(x.token, x.first, x.last, x.log_prob) for x in times] == expected
    assert [x.token for x in times] == found.tokens


def test_no_steps():
    assert emitted(np.zeros((0, 3)), 2) == []


def test_log_softmax_of_large_logits():
    found = log_softmax(np.array([[1000.0, 1000.0], [-1e30, 0.0]], np.float32))
    np.testing.assert_allclose(found, [[np.log(0.5)] * 2, [-1e30, 0.0]])


@pytest.mark.parametrize("durations", [(), (0, 1, 2)])
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("near", [0, 2, 20])
def test_labels_of_a_transducer_are_where_they_are_likeliest(durations, seed, near):
    model = RandomModel(4, seed, durations=durations)
    encoded, _ = utterances([12], seed)
    given_ = [TimedLabel(t, at, at + 1, -0.5) for t, at in ((0, 1), (2, 4), (2, 5), (1, 10))]
    found = heard_at(model, encoded[0, :12], given_, near)
    earliest, before = 0, []
    for label, one in zip(found, given_, strict=True):
        low = max(earliest, one.first - near)
        frames = range(low, min(max(low, one.first + near), 11) + 1)
        likely = [model.log_probs(encoded[0, frame], before)[one.token] for frame in frames]
        earliest = frames[int(np.argmax(likely))]
        assert label == TimedLabel(one.token, earliest, earliest + 1, -0.5)
        before = [*before, one.token]
    if near == 0:
        assert found == given_
    assert heard_at(model, encoded[0, :12], []) == []
