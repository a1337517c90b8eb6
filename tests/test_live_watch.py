"""Notices of a live session: silence, clipping, late chunks."""

import itertools

import numpy as np
import pytest

from tests.live_reference import (
    reference_model,
    speech,
)
from tflite_export.runtime.live.events import Notice
from tflite_export.runtime.live.session import Session
from tflite_export.runtime.live.watch import Watch

pytestmark = pytest.mark.runtime


@pytest.mark.parametrize("chunk", [160, 1920, 80000])
def test_silence_is_noticed_once(chunk):
    watch, found = Watch(16000, 0.04), []
    quiet = np.full(16000 * 20, 0.0005, np.float32)
    quiet[16000 * 10] = 0.1
    for at in range(0, len(quiet), chunk):
        found += watch.hear(quiet[at : at + chunk])[1]
    assert [notice.kind for notice in found] == ["silence"] * 2
    assert all(5 <= notice.value <= 10 for notice in found)


def test_clipping_is_noticed():
    watch = Watch(16000, 0.04)
    audio = np.zeros(16000, np.float32) + 0.5
    assert watch.hear(audio)[1] == []
    audio[::100] = -1.0
    (notice,) = watch.hear(audio)[1]
    assert (notice.kind, notice.value, notice.heard_s) == ("clipping", 0.01, 2.0)
    assert "1.0% of the samples" in notice.text
    assert watch.hear(audio)[1] == []  # known


def test_late_chunks_are_counted():
    clock = iter(np.cumsum([0, 0.2] * 100))  # every chunk takes 0.2 s
    session = Session(reference_model(), clock=lambda: next(clock))
    late = []
    for _ in range(60):
        late += [e for e in session.accept(speech(0.12)) if isinstance(e, Notice)]
    assert [(e.kind, e.value) for e in late] == [("late", 1), ("late", 42)]
    # The 17 since then, and the last words, of 0.08 s.
    assert [(e.kind, e.value) for e in session.finish() if isinstance(e, Notice)] == [("late", 18)]
    on_time = iter(np.cumsum([0, 0.1] * 100))
    session = Session(reference_model(), clock=lambda: next(on_time))
    assert not any(isinstance(e, Notice) for _ in range(9) for e in session.accept(speech(0.12)))


def test_short_chunks_are_not_late_as_soon_as_they_bring_a_frame():
    clock = itertools.count(step=0.03)
    session = Session(reference_model(), clock=lambda: next(clock))
    found = [e for _ in range(100) for e in session.accept(speech(0.01))]
    assert not any(isinstance(e, Notice) for e in found)
    slow = itertools.count(step=0.05)
    session = Session(reference_model(), clock=lambda: next(slow))
    assert session.accept(np.zeros(0, np.float32)) == session.finish() == []
    assert [e.value for e in session.accept(speech(0.01))] == [1]
