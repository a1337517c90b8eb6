"""The noises that recordings are scored in: white, pink, babble, or a folder of recordings."""

import dataclasses
import functools
from pathlib import Path
from typing import Protocol

import numpy as np

from asr_qat.audio.decode import KNOWN_SUFFIXES, read_audio, recordings_below
from asr_qat.audio.noise import PINK, WHITE, coloured, part_of, power
from asr_qat.corpora.utterance import Utterance
from asr_qat.counted import counted
from asr_qat.errors import UserError, require

BABBLE = "babble"
COLOURS = {"white": WHITE, "pink": PINK}
TALKERS = 6  # of babble: words can no longer be told apart
SILENCE = 1e-10  # power, -100 dB of full scale: no noise, whatever it is multiplied by
TRIES = 20  # parts of recordings that are drawn until one is no silence
KEPT = 4  # recordings of noise in memory


class Noise(Protocol):
    """Where noise comes from."""

    @property
    def name(self) -> str:
        """In results."""

    def around(
        self, utterance: Utterance, samples: int, sample_rate: int, rng: np.random.Generator
    ) -> np.ndarray:
        """What is heard beside an utterance: `[samples]`, not silent."""


@dataclasses.dataclass(frozen=True)
class ColouredNoise:
    """See `asr_qat.audio.noise.coloured`.

    Attributes:
        name: of `COLOURS`.
    """

    name: str

    def around(
        self, utterance: Utterance, samples: int, sample_rate: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Of the same colour beside all utterances."""
        return coloured(samples, sample_rate, COLOURS[self.name], rng)


@dataclasses.dataclass(frozen=True)
class Babble:
    """Others who speak at the same time, equally loud: `TALKERS` other utterances of the data.

    None is by the same speaker or, where speakers are not known, of the same recording.

    Attributes:
        utterances: of the data, in an order that does not depend on the manifest's.
    """

    utterances: tuple[Utterance, ...] = dataclasses.field(repr=False)
    name: str = BABBLE

    def around(
        self, utterance: Utterance, samples: int, sample_rate: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Raises `UserError` if there are too few others."""
        others = [other for other in self.utterances if _is_other(other, utterance)]
        require(
            len(others) >= TALKERS,
            f"noise {BABBLE}: beside {utterance.id} the data have "
            f"{counted(len(others), 'utterance')} of other speakers, fewer than the {TALKERS} that "
            "babble is made of: give more data, or a folder with recordings of noise",
        )
        total = np.zeros(samples)
        for index in rng.permutation(len(others))[:TALKERS]:
            voice = part_of(others[index].read(sample_rate), samples, rng)
            total += voice / np.sqrt(max(power(voice), SILENCE))
        require(power(total) > SILENCE, f"noise {BABBLE}: nothing is heard beside {utterance.id}")
        return total


@dataclasses.dataclass(frozen=True)
class RecordedNoise:
    """A part of one of the recordings in a folder, over again where the utterance is longer.

    Attributes:
        name: of the folder.
        files: the recordings in it and below.
    """

    name: str
    files: tuple[Path, ...] = dataclasses.field(repr=False)

    def around(
        self, utterance: Utterance, samples: int, sample_rate: int, rng: np.random.Generator
    ) -> np.ndarray:
        """Raises `UserError` for a recording that cannot be read, or if all is silence."""
        for _ in range(TRIES):
            path = self.files[rng.integers(len(self.files))]
            part = part_of(_decoded(path, sample_rate), samples, rng)
            if power(part) > SILENCE:
                return part
        raise UserError(f"noise {self.name}: {TRIES} parts of its recordings are silence")

    def check(self, sample_rate: int) -> None:
        """Read all recordings. Raises `UserError` if one cannot be read, or all are silence."""
        bad, silent = [], True
        for path in self.files:
            try:
                silent = power(read_audio(path, sample_rate)) <= SILENCE and silent
            except UserError as error:
                bad.append(str(error))
        require(
            not bad,
            f"noise {self.name}: {len(bad)} of its {counted(len(self.files), 'recording')} cannot "
            f"be read: take them away: {'; '.join(bad[:3])}",
        )
        require(not silent, f"noise {self.name}: all of its recordings are silence")


def noise_named(name: str, utterances: list[Utterance]) -> Noise:
    """The noise that a name of `COLOURS`, `BABBLE` or a folder stands for.

    Args:
        name: of the noise.
        utterances: of the data, which babble is made of.

    Raises:
        UserError: neither, or a folder without recordings.
    """
    if name in COLOURS:
        return ColouredNoise(name)
    if name == BABBLE:
        return Babble(tuple(sorted(utterances, key=lambda each: each.id)))
    known = ", ".join((*COLOURS, BABBLE))
    require(Path(name).is_dir(), f"noise {name}: no such folder, and none of {known}")
    found = recordings_below(Path(name))
    require(bool(found), f"noise {name}: no recording in this folder ({KNOWN_SUFFIXES})")
    return RecordedNoise(Path(name).resolve().name, tuple(found))


def _is_other(other: Utterance, utterance: Utterance) -> bool:
    if other.speaker and utterance.speaker:
        return other.speaker != utterance.speaker
    return other.id != utterance.id and other.audio_path != utterance.audio_path


@functools.lru_cache(KEPT)
def _decoded(path: Path, sample_rate: int) -> np.ndarray:
    return read_audio(path, sample_rate)
