"""Nouns follow their numbers; times have a unit that fits."""

import pytest

from asr_qat.counted import counted, time_of_audio

pytestmark = pytest.mark.runtime


@pytest.mark.parametrize(
    "number, words", [(0, "0 words"), (1, "1 word"), (2, "2 words"), (12345, "12,345 words")]
)
def test_one_and_several(number, words):
    assert counted(number, "word") == words


@pytest.mark.parametrize(
    "seconds, words", [(8.44, "8.4 s"), (60, "1.0 min"), (190, "3.2 min"), (17568, "4.88 h")]
)
def test_times(seconds, words):
    assert time_of_audio(seconds) == words
