"""Held-out splits for corpora that come without them."""

from collections.abc import Sequence

from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import UserError

EVERY = 10  # one tenth is held out for each missing split
OFFSETS = {"dev": 4, "test": 9}
MIN_SPEAKERS = 10  # with fewer, utterances are held out instead of speakers


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


def complete_splits(splits: dict[str, list[Utterance]], name: str) -> tuple[dict, str]:
    """Hold out of `train` the splits that `splits` lacks.

    Units are whole speakers if there are `MIN_SPEAKERS` of them, else single utterances.
    Of the sorted units every tenth goes to dev (5th, 15th ...) and to test (10th, 20th ...);
    a corpus of fewer than ten gives its last units.

    Args:
        splits: utterances by split.
        name: what to call the corpus in an error.

    Returns:
        All three splits, and the sentence that says how the missing ones were made. Without
        `train`, those that there are and no sentence.

    Raises:
        UserError: there is too little to split.
    """
    train = splits.get("train", [])
    if not train:
        return {split: given for split, given in splits.items() if given}, ""
    missing = [split for split in OFFSETS if not splits.get(split)]
    speakers = {utterance.speaker for utterance in train} - {""}  # unknown is nobody
    by_speaker = len(speakers) >= MIN_SPEAKERS

    def unit(utterance: Utterance) -> str:
        return utterance.speaker if by_speaker else utterance.id

    units = sorted({unit(utterance) for utterance in train})
    if len(units) <= len(missing):
        raise UserError(
            f"{name}: {len(train)} training utterances and no {' or '.join(missing) or 'more'} "
            "split: add utterances"
        )
    held = {split: set(units[OFFSETS[split] :: EVERY]) for split in missing}
    if not all(held.values()):
        held = {split: {units[-1 - index]} for index, split in enumerate(missing)}
    out = set().union(*held.values())
    complete = {
        **splits,
        "train": [utterance for utterance in train if unit(utterance) not in out],
        **{split: [u for u in train if unit(u) in chosen] for split, chosen in held.items()},
    }
    kind = "whole speakers" if by_speaker else "utterances"
    note = f"{' and '.join(missing)} held out of train by {kind}." if missing else ""
    return complete, note
