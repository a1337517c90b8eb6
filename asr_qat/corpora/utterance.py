"""What every corpus is read into."""

import dataclasses
from pathlib import Path

SPLITS = ("train", "dev", "test")


@dataclasses.dataclass(frozen=True)
class Utterance:
    """One recording and its words.

    Attributes:
        id: unique within the corpus.
        audio_path: the recording.
        text: transcript as the corpus writes it; empty if there is none.
        speaker: identifies the speaker within the corpus; empty if unknown.
    """

    id: str
    audio_path: Path
    text: str
    speaker: str


def speaker_name(value: object) -> str:
    """The speaker of a manifest's line: its own text, 0 too; empty where there is none."""
    return "" if value is None else str(value)


@dataclasses.dataclass(frozen=True)
class Corpus:
    """Utterances by split, with what a reader of results must know about them.

    Attributes:
        name: short name.
        description: one or two plain sentences, including how the splits were made.
        licence: terms of use.
        splits: utterances of `train`, `dev` and `test`, as far as there are any. Without
            `train` the corpus is good for scoring only.
    """

    name: str
    description: str
    licence: str
    splits: dict[str, list[Utterance]]
