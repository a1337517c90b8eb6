"""Recordings as they would be under other conditions: in noise, at other levels, on an offset."""

import dataclasses
import zlib

import numpy as np

from asr_qat.audio.noise import mixed, power
from asr_qat.bounds import require_within
from asr_qat.corpora.noises import Noise
from asr_qat.corpora.utterance import Utterance
from asr_qat.errors import require

MOST_DB = 100.0  # of a ratio, or of a gain, either way


@dataclasses.dataclass(frozen=True)
class Condition:
    """What happens to a recording before a model hears it, in this order.

    What is drawn for an utterance depends on the seed and its `id` alone: all models hear the same,
    whatever else they hear, and at all ratios the same noise.

    Attributes:
        noise: that is added; None for none.
        snr_db: ratio of the recording's power to that of the noise, see `asr_qat.audio.noise`.
        gain_db: by which the level rises.
        offset: that is added to every sample, as a share of full scale.
        seed: of what is drawn.
    """

    noise: Noise | None = None
    snr_db: float | None = None
    gain_db: float = 0.0
    offset: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        assert (self.noise is None) == (self.snr_db is None)
        if self.snr_db is not None:
            require_within("snr", self.snr_db, -MOST_DB, MOST_DB)
        require_within("gain", self.gain_db, -MOST_DB, MOST_DB)
        require(-1 <= self.offset <= 1, f"offset: {self.offset:g} is not from -1 to 1, full scale")

    def __str__(self) -> str:
        parts = [f"{self.noise.name} {self.snr_db:g} dB"] if self.noise is not None else []
        parts += [f"level {self.gain_db:+g} dB"] if self.gain_db else []
        parts += [f"offset {self.offset:+g}"] if self.offset else []
        return ", ".join(parts) or "clean"

    def heard(self, utterance: Utterance, audio: np.ndarray, sample_rate: int) -> np.ndarray:
        """An utterance under this condition.

        Args:
            utterance: which one.
            audio: its float32 `[samples]`.
            sample_rate: of it.

        Returns:
            float32 `[samples]`, which may exceed full scale.
        """
        if self.noise is not None and power(audio) > 0:
            rng = np.random.default_rng([self.seed, zlib.crc32(utterance.id.encode())])
            assert self.snr_db is not None
            noise = self.noise.around(utterance, len(audio), sample_rate, rng)
            audio = mixed(audio, noise, self.snr_db)
        return (audio * 10 ** (self.gain_db / 20) + self.offset).astype(np.float32)


CLEAN = Condition()


@dataclasses.dataclass(frozen=True)
class HeardUtterance(Utterance):
    """An utterance that is read under a condition.

    Attributes:
        condition: the condition.
    """

    condition: Condition = dataclasses.field(default=CLEAN, compare=False)

    def read(self, sample_rate: int) -> np.ndarray:
        """As `Utterance.read`, under the condition."""
        return self.condition.heard(self, super().read(sample_rate), sample_rate)


def under(condition: Condition, utterances: list[Utterance]) -> list[Utterance]:
    """The same utterances, read under a condition."""
    return [HeardUtterance(**vars(each), condition=condition) for each in utterances]
