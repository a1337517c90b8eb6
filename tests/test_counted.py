"""Nouns follow their numbers."""

import pytest

from asr_qat.counted import counted

pytestmark = pytest.mark.runtime


@pytest.mark.parametrize(
    "number, words", [(0, "0 words"), (1, "1 word"), (2, "2 words"), (12345, "12,345 words")]
)
def test_one_and_several(number, words):
    assert counted(number, "word") == words
