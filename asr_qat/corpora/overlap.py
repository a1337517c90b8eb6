"""What splits have in common, and should not have if the one is to be a test of the other."""

import itertools
from collections.abc import Callable, Mapping, Sequence

from asr_qat.audio.inside import address
from asr_qat.corpora.utterance import Utterance
from asr_qat.counted import counted

EXAMPLES = 3

_KINDS: tuple[tuple[str, Callable[[Utterance], str]], ...] = (
    ("recording", lambda utterance: address(utterance.audio_path)),
    ("speaker", lambda utterance: utterance.speaker),
)


def overlaps(splits: Mapping[str, Sequence[Utterance]]) -> list[str]:
    """Sentences on the recordings and speakers that two splits share.

    Parts of one recording are that recording; speakers that are not known are nobody.

    Args:
        splits: utterances by split.
    """
    said = []
    for kind, key in _KINDS:
        sets = {split: {key(item) for item in items} - {""} for split, items in splits.items()}
        for one, other in itertools.combinations(sets, 2):
            shared = sorted(sets[one] & sets[other])
            if shared:
                examples = ", ".join(shared[:EXAMPLES]) + ", ..." * (len(shared) > EXAMPLES)
                number = counted(len(shared), kind)
                said.append(f"{one} and {other} share {number}: {examples}")
    return said
