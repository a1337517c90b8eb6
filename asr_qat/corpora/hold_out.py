"""Held-out splits for corpora that come without them."""

from collections.abc import Sequence

from asr_qat.corpora.utterance import Utterance


def hold_out_speakers(
    utterances: Sequence[Utterance], every: int, offset: int = 0
) -> tuple[list[Utterance], list[Utterance]]:
    """Split off whole speakers: of the sorted speakers, each `every`-th from `offset`.

    Returns:
        The remaining utterances and the held-out ones, in their given order.
    """
    held_out = set(sorted({utterance.speaker for utterance in utterances})[offset::every])
    return (
        [utterance for utterance in utterances if utterance.speaker not in held_out],
        [utterance for utterance in utterances if utterance.speaker in held_out],
    )
