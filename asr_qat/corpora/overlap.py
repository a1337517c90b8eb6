"""What splits have in common, and should not have if the one is to be a test of the other."""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

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
                number = counted(len(shared), kind)
                said.append(f"{one} and {other} share {number}: {_examples(shared)}")
    return said


def equal_audio(reports: Mapping[str, Sequence[dict[str, Any]]]) -> list[str]:
    """Sentences on recordings that two splits have under different names.

    Equal are those with the same samples, as they were prepared.

    Args:
        reports: of the shards by split, see `asr_qat.corpora.shard_job`; some older ones have no
            checksums, and are passed over.
    """
    said = []
    for one, other in itertools.combinations(reports, 2):
        # The smaller split in memory: training is the large one, and comes first.
        names = dict(_checksums(reports[other]))
        shared = [
            (line, names[checksum])
            for checksum, line in _checksums(reports[one])
            if checksum in names and line["audio_filepath"] != names[checksum]["audio_filepath"]
        ]
        if shared:
            number = counted(len(shared), "recording")
            pairs = _examples([f"{first['id']} is {second['id']}" for first, second in shared])
            said.append(f"{one} and {other} share {number} under other names: {pairs}")
    return said


def _examples(names: list[str]) -> str:
    return ", ".join(names[:EXAMPLES]) + ", ..." * (len(names) > EXAMPLES)


def _checksums(reports: Sequence[dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    for report in reports:
        yield from zip(report.get("checksums", ()), report["utterances"], strict=False)
