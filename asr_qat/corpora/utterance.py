"""What every corpus is read into."""

import dataclasses
from pathlib import Path

import numpy as np

from asr_qat.audio.decode import ROUNDING_S, EncodedAudio, read_audio
from asr_qat.errors import UserError
from asr_qat.notices import notice

SPLITS = ("train", "dev", "test")
NAMED_DURATIONS = 5  # utterances with a wrong duration that a run names


@dataclasses.dataclass(frozen=True)
class Utterance:
    """One recording, or a segment of one, and its words.

    Attributes:
        id: unique within the corpus.
        audio_path: the recording.
        text: transcript as the corpus writes it; empty if there is none.
        speaker: identifies the speaker within the corpus; empty if unknown.
        offset: seconds of the recording before the utterance.
        duration: seconds of the utterance; None if it goes to the end of the recording.
        whole: `duration` is said of the whole recording: another length is a mistake.
        where: the line of a manifest that it comes from, for errors.
    """

    id: str
    audio_path: Path | EncodedAudio
    text: str
    speaker: str
    offset: float = 0.0
    duration: float | None = None
    whole: bool = False
    where: str = dataclasses.field(default="", compare=False)

    @property
    def segment(self) -> bool:
        """Whether it is a part of a recording."""
        return self.offset > 0 or (self.duration is not None and not self.whole)

    def read(self, sample_rate: int) -> np.ndarray:
        """Its audio, float32 `[samples]` in [-1, 1], see `read_audio`.

        Raises:
            UserError: naming the recording, and the line of the manifest if there is one.
        """
        end = None if self.whole else self.duration
        try:
            audio = read_audio(self.audio_path, sample_rate, self.offset, end)
        except UserError as error:
            raise UserError(f"{self.where}: {error}" if self.where else str(error)) from None
        if self.duration is None:
            return audio
        seconds = len(audio) / sample_rate
        if abs(seconds - self.duration) <= ROUNDING_S:
            return audio
        audio = audio[: round(self.duration * sample_rate)]
        name = f"{self.where}: {self.audio_path}" if self.where else str(self.audio_path)
        after = f" after {self.offset:g} s" if self.offset else ""
        notice(
            "duration",
            f"{name}: has {seconds:.2f} s{after}, not the {self.duration:g} s of its duration: "
            f"{len(audio) / sample_rate:.2f} s are taken",
            NAMED_DURATIONS,
        )
        return audio


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
