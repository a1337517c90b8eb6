"""Live sessions against the same model offline: words, times, endpoints, notices, memory."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_qat.decoding.transducer_incremental import Emission
from asr_qat.errors import UserError
from tests.live_reference import (
    FRAME,
    TOKENIZER,
    features_of,
    offline_searches,
    reference_model,
    speech,
)
from tflite_export.runtime.live.encoder import split_steps
from tflite_export.runtime.live.endpoint import EndpointConfig
from tflite_export.runtime.live.events import Notice, Transcript
from tflite_export.runtime.live.session import Session
from tflite_export.runtime.live.words import words_of

pytestmark = pytest.mark.runtime

CHUNK = 1920  # samples
NO_END = EndpointConfig(pause_s=1000.0, longest_s=1000.0)


def listen(session: Session, audio: np.ndarray, chunk: int) -> list:
    pieces = np.split(audio, range(chunk, len(audio), chunk))
    events = [event for piece in pieces for event in session.accept(piece)]
    return [e for e in events + session.finish() if not isinstance(e, Notice)]


@settings(max_examples=25)
@given(
    st.integers(0, 30000),
    st.data(),
    st.integers(0, 2),
    st.integers(0, 4),
    st.integers(0, 20),
)
def test_any_chunks_give_the_words_of_the_whole(samples, data, look_ahead, delay, seed):
    audio = speech(2.0, seed)[:samples]
    cuts = sorted(data.draw(st.lists(st.integers(0, samples), max_size=10)))
    model = reference_model(look_ahead, delay, seed)
    session = Session(model, NO_END)
    for piece in np.split(audio, cuts):
        session.accept(piece)
    utterance = session.utterance
    utterance.finish(session._normalised(session._front_end.flush()))
    first, second = offline_searches(model, features_of(audio))
    assert utterance.first.emissions == first.emissions
    assert utterance.second.emissions == second.emissions
    assert utterance.first.frames == utterance.second.frames == second.frames


@pytest.mark.parametrize("look_ahead", [0, 1, 2])
@pytest.mark.parametrize("pause_s, longest_s", [(0.2, 20.0), (5.0, 0.76), (0.12, 1.0)])
def test_endpoints_lose_no_frame_and_do_not_depend_on_chunks(look_ahead, pause_s, longest_s):
    audio = speech(8.0, 1)
    features = features_of(audio)
    expected, start = [], 0
    model = reference_model(look_ahead, 2, 1)
    rule = EndpointConfig(pause_s, longest_s)
    while start < len(features):  # the rule, by trying every length
        for frames in range(1, 1 + -(-(len(features) - start) // 4)):
            length = min(4 * frames, len(features) - start)
            # An endpoint is seen by a first pass that knows of the frames so far alone.
            seen, later = offline_searches(model, features[start : start + length])
            known = frames - look_ahead
            labels = [e for e in seen.emissions if e.frame < known]
            labels = labels or [e for e in later.emissions if e.frame < known - 2 - 3]
            whole = length == 4 * frames
            if whole and known > 0 and rule.reached(known, labels, 40.0):
                break
        _, second = offline_searches(model, features[start : start + length])
        if second.emissions:
            expected.append(words_of(second.emissions, TOKENIZER.label_bytes(), 40.0, start // 4))
        start += length
    assert len(expected) >= 3
    for chunk in (FRAME // 2, 960, 1920, 3840, 7680, len(audio)):
        events = listen(Session(model, rule), audio, chunk)
        finals = [list(e.words) for e in events if e.kind == "final" and e.words]
        assert finals == expected, chunk
        assert len(model.encoder.calls)


def test_steps_are_long_where_possible():
    model = reference_model()
    session = Session(model, NO_END)
    session.accept(speech(1.0)[:240])
    session.accept(speech(1.0)[240 : 240 + 4 * FRAME])
    firsts = [frames for name, frames, _ in model.encoder.calls if name == "first"]
    assert firsts == [3, 1]
    model.encoder.calls.clear()
    session.accept(speech(1.0)[: 2 * FRAME])
    assert [c[1] for c in model.encoder.calls if c[0] == "first"] == [1, 1]
    assert split_steps(8, (1, 3)) == [3, 3, 1, 1] and split_steps(0, (1,)) == []


@pytest.mark.parametrize("frames", [0, 2, 25])
def test_an_utterance_ends_in_the_longest_steps(frames):
    model = reference_model(1, 20, 1)
    audio = speech(2.0, 1)[: frames * FRAME]
    session = Session(model, NO_END)
    listen(session, audio, CHUNK)
    calls = [call for call in model.encoder.calls if call[2] == 0]
    assert [size for name, size, _ in calls if name == "second"] == [3, 3, 3, 3, 3, 3, 1, 1] * bool(
        frames
    )
    assert [size for name, size, _ in calls if name == "first"] == [1] * bool(frames)
    first, second = offline_searches(model, features_of(audio))
    assert session.ended.first.emissions == first.emissions
    assert session.ended.second.emissions == second.emissions
    assert session.ended.second.frames == second.frames


def test_turns_are_short_and_together_what_accept_gives():
    model, audio = reference_model(0, 2, 1), speech(4.0, 1)
    session = Session(model, EndpointConfig(0.3))
    turns = []
    for at in range(0, len(audio), session.turn_samples):
        turns.append(session.hear(audio[at : at + session.turn_samples]))
        calls = [frames for name, frames, _ in model.encoder.calls if name == "first"]
        assert sum(calls) <= 3 + 2  # the longest step, and less than that from the turn before
        model.encoder.calls.clear()
    assert session.turn_samples == CHUNK
    whole = Session(model, EndpointConfig(0.3)).accept(audio)
    assert [event for turn in turns for event in turn] == whole and whole


def test_events_follow_each_other():
    events = listen(Session(reference_model(0, 3, 3), EndpointConfig(0.2)), speech(6.0, 3), 1920)
    assert {e.kind for e in events} == {"partial", "corrected", "final"}
    numbers = [e.utterance for e in events]
    assert numbers == sorted(numbers)
    assert [e.heard_s for e in events] == sorted(e.heard_s for e in events)
    for _, group in itertools.groupby(events, lambda e: e.utterance):
        group = list(group)
        assert [e.kind for e in group].count("final") == 1 and group[-1].kind == "final"
        final = group[-1].words
        assert group[-1].stable == len(final)
        for event in group:  # what is stable stays
            assert event.words[: event.stable] == final[: event.stable]
            times = [t for word in event.words for t in (word.start_s, word.end_s)]
            assert all(w.start_s < w.end_s <= event.heard_s + 0.04 for w in event.words)
            assert sorted(times[::2]) == times[::2]
    assert any(0 < e.stable < len(e.words) for e in events)


@pytest.mark.parametrize(
    ("second", "frames", "first", "shown"),
    [
        ("", 0, "", ""),
        ("", 5, "A0 B4 C9", "A0 B4 C9"),  # the second pass may still find them
        ("", 6, "A0 B4 C9", "B4 C9"),  # no more
        ("B2", 6, "A1 B4 C9", "B2 C9"),  # one B, earlier in the second pass
        ("B5", 6, "A1 B4 C9", "B5 C9"),  # or later
        ("B2", 6, "C3 B4", "B2 C3 B4"),  # another B
        ("B2", 9, "B8", "B2 B8"),
    ],
)
def test_shown_words_are_those_of_both_passes(second, frames, first, shown):
    def labels(text):
        return tuple(Emission(ord(word[0]), int(word[1:])) for word in text.split())

    utterance = Session(reference_model()).utterance
    start = utterance.first
    utterance.first = dataclasses.replace(start, emissions=labels(first), frames=10)
    utterance.second = dataclasses.replace(start, emissions=labels(second), frames=frames)
    assert utterance.emissions == labels(shown)


def test_a_session_can_be_used_again():
    session = Session(reference_model(1, 2, 2))
    audio = speech(2.0, 2)
    first = listen(session, audio, 1000)
    assert first and listen(session, audio, 1000) == first
    assert session.finish() == []


@pytest.mark.parametrize("samples", [0, 1, 399, 400])
def test_hardly_any_audio(samples):
    session = Session(reference_model(blank_bias=-9.0))  # every frame has labels
    events = session.accept(np.zeros(samples, np.float32)) + session.finish()
    finals = [event for event in events if isinstance(event, Transcript)]
    assert [event.kind for event in finals] == ["final"] * (samples >= 400)
    assert session.finish() == []


class Still:
    """An encoder that finds the same in all frames."""

    frame_ms, subsampling, step_frames, look_ahead, delay = 40.0, 4, (1, 3), 0, 0

    def first_state(self):
        return {}

    second_state = first_state

    def first(self, features, valid, state):
        rows = np.zeros((len(features) // 4, 6), np.float32)
        return rows, rows, state

    def second(self, hidden, valid, state):
        return hidden, state


class Loud(Still):
    """An encoder that finds labels where it is loud, in one or both passes; nothing elsewhere."""

    def __init__(self, steps, hears=(True, True)):
        self._hears = hears
        self._nothing, self._label = (99 * np.sign(steps.kernel[:, i]) for i in (steps.blank, 4))

    def first(self, features, valid, state):
        loud = features.reshape(-1, 4 * features.shape[1]).mean(axis=1, keepdims=True) > 0
        return self._rows(loud, 0), loud.astype(np.float32), state

    def second(self, hidden, valid, state):
        return self._rows(hidden > 0, 1), state

    def _rows(self, loud, index):
        return np.where(loud & self._hears[index], self._label, self._nothing).astype(np.float32)


@pytest.mark.parametrize("hears", [(True, True), (False, True)])
def test_silence_before_words_does_not_make_an_utterance_long(hears):
    model = reference_model(blank_bias=9.0)
    model = dataclasses.replace(model, encoder=Loud(model.steps, hears))
    noise = np.random.default_rng(0).uniform(-0.3, 0.3, 16000 * 2)
    audio = np.concatenate([np.zeros(312000), noise, np.zeros(32000)]).astype(np.float32)
    (final,) = (e for e in listen(Session(model), audio, 1920) if e.kind == "final")
    assert 22.2 <= final.heard_s <= 22.6  # the pause is seen; not only the end of the audio
    assert final.words[0].start_s == pytest.approx(19.5, abs=0.05)
    assert final.words[-1].end_s == pytest.approx(21.5, abs=0.05)


def test_memory_is_bounded():
    """Silence for a day holds no more than silence for a minute; so does speech without pause."""
    model = dataclasses.replace(reference_model(blank_bias=-9.0), encoder=Still())
    session = Session(model, EndpointConfig(longest_s=2.0))
    longest = 0
    for _ in range(30):
        finals = [e for e in session.accept(speech(1.0)) if e.kind == "final"]
        longest = max(longest, len(session.utterance.first.emissions))
        assert len(finals) <= 1
    assert longest <= 10 * 50
    assert len(session._front_end._pending) < 2 * FRAME


def test_rule():
    rule = EndpointConfig(pause_s=0.4, longest_s=4.0)
    first, last = Emission(1, 50), Emission(2, 140)
    assert not rule.reached(10_000, [], 40.0)
    assert not rule.reached(149, [first, last], 40.0) and rule.reached(150, [first, last], 40.0)
    assert not rule.reached(60, [first], 40.0) and rule.reached(61, [first], 40.0)
    for bad in ({"pause_s": 0.0}, {"longest_s": float("nan")}, {"longest_s": float("inf")}):
        with pytest.raises(UserError, match=next(iter(bad))):
            EndpointConfig(**bad)


@pytest.mark.parametrize(("bad", "chunk"), [(np.nan, CHUNK), (-np.inf, 50000), (1e30, CHUNK)])
def test_a_sample_that_is_no_number_spoils_nothing(bad, chunk):
    """It is taken as silence: words and times are those of a zero in its place."""
    audio = speech(2.0, 3)
    audio[9000] = 0
    expected = listen(Session(reference_model()), audio, chunk)
    assert expected[-1].kind == "final" and expected[-1].words
    audio[9000] = bad
    session = Session(reference_model())
    assert listen(session, audio, chunk) == expected
    noticed = [e for e in session.accept(audio) + session.finish() if isinstance(e, Notice)]
    (notice,) = (each for each in noticed if each.kind == "invalid")
    assert notice.value == 1 and "1 sample is no number" in notice.text


def test_many_samples_that_are_no_numbers_are_counted():
    events = {}
    for value in (0.0, np.nan):
        session = Session(reference_model())
        chunks = [np.full(1600, value, np.float32)] * 60
        events[value] = [e for chunk in chunks for e in session.accept(chunk)] + session.finish()
    silent, spoilt = events.values()
    invalid = [e for e in spoilt if isinstance(e, Notice) and e.kind == "invalid"]
    assert [e.heard_s for e in invalid] == [0.1, 5.1, 6.0]
    assert sum(e.value for e in invalid) == 60 * 1600
    transcripts = [[e for e in found if isinstance(e, Transcript)] for found in (silent, spoilt)]
    assert transcripts[0] == transcripts[1]


def test_audio_of_any_type_and_shape():
    audio = np.round(speech(1.0, 3) * 32767).astype(np.int16)
    expected = listen(Session(reference_model()), audio / np.float32(32768), CHUNK)
    assert expected
    for form in (audio, audio.astype(np.int32) << 16, audio / 32768.0, audio[:, None]):
        session = Session(reference_model())
        events = [e for at in range(0, len(form), CHUNK) for e in session.accept(form[at:][:CHUNK])]
        events += session.accept(np.zeros(0, np.int16)) + session.finish()
        assert [e for e in events if not isinstance(e, Notice)] == expected


@pytest.mark.parametrize("audio", [[0.0] * 100, np.zeros(100, bool), np.zeros((100, 100))])
def test_what_is_no_audio_leaves_a_session_as_it_was(audio):
    session = Session(reference_model())
    with pytest.raises(UserError, match="^audio of "):
        session.accept(audio)
    assert session.heard_s == 0
    assert listen(session, speech(0.5, 3), CHUNK) == listen(
        Session(reference_model()), speech(0.5, 3), CHUNK
    )
