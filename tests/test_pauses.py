"""Where long recordings are cut."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_qat.audio.pauses import cut_in_pauses

pytestmark = pytest.mark.runtime

RATE = 8000


def speech(parts, noise=0.001, offset=0.0, seed=0):
    """Seconds of sound and of silence, in turn."""
    rng = np.random.default_rng(seed)
    loud = [0.0 if index % 2 else 0.2 for index in range(len(parts))]
    levels = np.concatenate([np.full(round(s * RATE), v) for s, v in zip(parts, loud, strict=True)])
    audio = (levels + noise) * rng.standard_normal(len(levels)) + offset
    return audio.astype(np.float32)


@pytest.mark.parametrize("gain, offset", [(1, 0), (0.01, 0), (1, 0.1)])
def test_cuts_are_in_the_middle_of_pauses(gain, offset):
    audio = gain * speech([3, 0.5, 2, 0.4, 2.5, 0.1, 3, 0.6, 2], offset=offset)
    pieces = cut_in_pauses(audio, RATE, 7.0)
    ends = [piece.end / RATE for piece in pieces]
    assert ends == pytest.approx([5.7, 11.8, len(audio) / RATE], abs=0.06)


def test_a_longer_pause_may_be_earlier():
    pieces = cut_in_pauses(speech([5, 0.8, 0.6, 0.2, 3, 0.5, 3]), RATE, 7.0)
    assert pieces[0].end / RATE == pytest.approx(5.4, abs=0.35)


@given(
    st.lists(st.floats(0.05, 4.0), min_size=1, max_size=20),
    st.floats(0.5, 6.0),
    st.sampled_from([0.3, 1.0, np.inf]),
)
def test_pieces_are_the_whole_recording(parts, longest_s, always_s):
    audio = speech(parts)
    pieces = cut_in_pauses(audio, RATE, longest_s, always_s)
    assert pieces[0].begin == 0 and pieces[-1].end == len(audio)
    for piece, following in zip(pieces[:-1], pieces[1:], strict=True):
        assert piece.begin < piece.end == following.begin
    if len(audio) <= longest_s * RATE:
        assert len(pieces) == 1
    assert max(piece.end - piece.begin for piece in pieces) <= (4 * longest_s + 1) * RATE


def test_speech_without_a_pause_goes_on_to_the_next_one():
    pieces = cut_in_pauses(speech([9, 0.5, 4, 0.5, 2]), RATE, 4.0)
    assert pieces[0].end / RATE == pytest.approx(9.25, abs=0.06)
    endless = cut_in_pauses(speech([60]), RATE, 4.0)
    assert max(piece.end - piece.begin for piece in endless) <= 16 * RATE


def test_a_long_pause_always_ends_a_piece_with_speech():
    audio = speech([2, 0.8, 1.5, 0.3, 2, 0.9, 3, 0.6, 0.5])
    (whole,) = cut_in_pauses(audio, RATE, 30.0, always_s=0.5)
    assert (whole.begin, whole.end) == (0, len(audio))  # it is not too long
    ends = [piece.end / RATE for piece in cut_in_pauses(audio, RATE, 10.0, always_s=0.5)]
    assert ends == pytest.approx([2.4, 7.05, 10.8, len(audio) / RATE], abs=0.06)
    silent = cut_in_pauses(speech([0, 8, 2, 20, 2]), RATE, 10.0, always_s=0.5)
    assert len(silent) <= 6  # silence is cut for its length alone


@pytest.mark.parametrize("audio", [np.zeros(40 * RATE, np.float32), speech([0, 40])])
def test_silence_is_cut_anywhere(audio):
    pieces = cut_in_pauses(audio, RATE, 4.0)
    assert max(piece.end - piece.begin for piece in pieces) <= 4 * RATE


def test_no_samples():
    (piece,) = cut_in_pauses(np.zeros(0, np.float32), RATE, 4.0)
    assert (piece.begin, piece.end) == (0, 0)
