"""Labels become timed words, and these text, JSON, subtitles and CTM."""

import itertools
import json
import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.decoding.timed_label import TimedLabel
from asr_qat.text.words import word_spans
from tests.live_reference import TOKENIZER
from tflite_export.runtime.formats import FORMATS, Source
from tflite_export.runtime.subtitles import LINE_CHARACTERS, LONGEST_S, PAUSE_S, cues
from tflite_export.runtime.transcription import (
    FrameTimes,
    TimedWord,
    Transcription,
    Utterance,
    timed_words,
)

pytestmark = pytest.mark.runtime
WAV = Source("a.wav")


def test_words_of_labels():
    parts = [b" A", b"B", b" ", b"C", b"D E", b"\xc3", b"\x9c", b"", b" \xff"]
    found = [(w.text, w.first, w.last) for w in word_spans(parts)]
    assert found == [("AB", 0, 1), ("CD", 3, 4), ("EÜ", 4, 6), ("�", 8, 8)]
    assert word_spans([]) == []


@given(st.lists(st.integers(0, TOKENIZER.vocab_size - 1), max_size=12))
def test_words_are_the_text_of_the_tokenizer(labels):
    parts = [TOKENIZER.label_bytes()[label] for label in labels]
    found = " ".join(word.text for word in word_spans(parts))
    assert found == " ".join(TOKENIZER.decode(labels).split())


def test_times_and_confidence():
    labels = [
        TimedLabel(0, 0, 0, math.log(0.5)),
        TimedLabel(1, 2, 3, math.log(0.5)),
        TimedLabel(2, 9, 9, 0.0),
    ]
    parts = [b" A", b"B", b" C"]
    times = FrameTimes(frame_s=0.04, middle_s=0.012)
    first, second = timed_words(labels, parts, times, 10.0, 10.36)
    assert first == TimedWord("AB", 10.0, 10.152, 0.25)  # 4 frames less half of one, to the middle
    assert second == TimedWord("C", 10.352, 10.36, 1.0)  # not beyond the end
    late = FrameTimes(frame_s=0.04, middle_s=0.012, late_s=0.1)
    labels[-1] = TimedLabel(2, 9, 9, None)
    _, earlier = timed_words(labels, parts, late, 10.0, 10.36)
    assert earlier == TimedWord("C", 10.252, 10.292, None)


def spoken(*words, rate=0.9, silence_s=0.0):
    """A transcription from `(text, start, end)`, and how long the recording goes on after that."""
    timed = tuple(TimedWord(text, start, end, rate) for text, start, end in words)
    end_s = max((word.end_s for word in timed), default=0.0)
    return Transcription((Utterance(timed),) if timed else (), end_s + silence_s)


def test_formats():
    found = spoken(("A<B", 0.0, 0.5), ("C", 3599.5, 3600.25), silence_s=3.0)
    text = {name: write(Source("dir/my file.wav"), found, False) for name, write in FORMATS.items()}
    assert text["txt"] == "A<B C\n"
    assert text["ctm"] == "my_file 1 0.000 0.500 A<B 0.9000\nmy_file 1 3599.500 0.750 C 0.9000\n"
    assert text["srt"] == (
        "1\n00:00:00,000 --> 00:00:01,000\nA<B\n\n2\n00:59:59,500 --> 01:00:00,500\nC\n\n"
    )
    assert text["vtt"].startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.000\nA&lt;B\n\n")
    content = json.loads(text["json"])
    assert content["text"] == "A<B C" and "words" not in content["utterances"][0]
    by_word = {name: write(WAV, found, True) for name, write in FORMATS.items()}
    assert by_word["txt"].splitlines()[0] == "0.000\t0.500\t0.9000\tA<B"
    assert json.loads(by_word["json"])["utterances"][0]["words"][1] == {
        "text": "C", "start_s": 3599.5, "end_s": 3600.25, "confidence": 0.9
    }  # fmt: skip
    unrated = spoken(("A", 0.0, 0.5), ("B", 0.5, 0.9), rate=None)
    assert FORMATS["ctm"](WAV, unrated, True).splitlines()[0] == "a 1 0.000 0.500 A"
    assert FORMATS["txt"](WAV, unrated, True).splitlines()[0] == "0.000\t0.500\t-\tA"
    assert "\nA <00:00:00.500>B\n" in FORMATS["vtt"](WAV, unrated, True)


def test_entries_of_a_manifest_have_their_id():
    found = spoken(("A", 0.0, 0.5))
    entry = Source("/calls/a.wav", "calls/a-1.5")
    assert FORMATS["ctm"](entry, found, True) == "calls_a-1.5 1 0.000 0.500 A 0.9000\n"
    content = json.loads(FORMATS["json"](entry, found, False))
    assert (content["id"], content["file"]) == ("calls/a-1.5", "/calls/a.wav")
    assert "id" not in json.loads(FORMATS["json"](WAV, found, False))


def test_nothing_was_said():
    empty = spoken()
    found = {name: write(WAV, empty, False) for name, write in FORMATS.items()}
    assert (found["txt"], found["srt"], found["ctm"]) == ("\n", "", "")
    assert found["vtt"] == "WEBVTT\n\n"


@given(
    st.lists(st.tuples(st.integers(1, 60), st.floats(0.0, 1.5), st.floats(0.01, 3.0)), max_size=60)
)
def test_subtitles_hold_all_words_and_can_be_read(shape):
    words, at = [], 0.0
    for letters, pause, length in shape:
        words.append(("x" * letters, at + pause, at + pause + length))
        at += pause + length
    found = spoken(*words)
    made = cues(found)
    assert [word for cue in made for line in cue.lines for word in line] == list(found.words)
    for cue, following in itertools.zip_longest(made, made[1:]):
        assert following is None or cue.end_s <= following.start_s
        inside = [word for line in cue.lines for word in line]
        if len(inside) > 1:
            assert len(cue.lines) <= 2
            assert all(len(line) <= LINE_CHARACTERS for line in cue.text.splitlines())
            assert inside[-1].end_s - inside[0].start_s <= LONGEST_S
            gaps = [b.start_s - a.end_s for a, b in zip(inside[:-1], inside[1:], strict=True)]
            assert max(gaps) < PAUSE_S


CUE = re.compile(r"(\S+) --> (\S+)\n((?:.+\n)+)\n")


def seconds(clock):
    hours, minutes, rest = clock.replace(",", ".").split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


@given(
    st.lists(
        st.tuples(st.sampled_from([-0.1, 0.0, 0.001, 0.3, 2.0]), st.sampled_from([0.0, 0.1, 0.4])),
        max_size=30,
    ),
    st.sampled_from(["srt", "vtt"]),
    st.booleans(),
)
def test_subtitles_are_shown_one_after_the_other(shape, name, by_word):
    """Also where words begin together, or before others, as those at a cut or of no length."""
    words, at = [], 0.1
    for number, (gap, length) in enumerate(shape):
        at = round(max(0.0, at + gap), 3)
        words.append((f"W{number}", at, round(at + length, 3)))
    found = spoken(*words)
    written = FORMATS[name](WAV, found, by_word)
    shown = 0.0
    for start, end, text in CUE.findall(written):
        assert shown <= seconds(start) < seconds(end)
        inside = [seconds(start), *map(seconds, re.findall(r"<(\d[^>]*)>", text)), seconds(end)]
        assert inside == sorted(set(inside))
        shown = seconds(end)
    assert shown <= found.duration_s + 0.0011  # a word of no length at the very end
    assert re.findall(r"W\d+", written) == [word.text for word in found.words]


def test_no_subtitle_lasts_longer_than_the_recording():
    (cue,) = cues(spoken(("A", 2.0, 2.2), silence_s=0.25))
    assert (cue.start_s, cue.end_s) == (2.0, pytest.approx(2.45))


def test_subtitles_are_cut_at_the_pause():
    words = [(f"word{i:02}", 0.4 * i + 0.3 * (i >= 9), 0.4 * i + 0.3 * (i >= 9) + 0.4)
             for i in range(20)]  # fmt: skip
    first, second = cues(spoken(*words))
    assert re.findall(r"\d+", first.text)[-1] == "08"
    assert re.findall(r"\d+", second.text)[0] == "09"
