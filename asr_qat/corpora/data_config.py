"""How training batches are made: the section `batches` of a configuration."""

import dataclasses
import itertools
import math

from asr_qat.audio.augment import NoiseConfig, SpecAugmentConfig
from asr_qat.audio.reverberation import ReverberationConfig
from asr_qat.bounds import require_within
from asr_qat.errors import require

MOST_UTTERANCES = 1 << 20  # of a batch
MOST_SECONDS = 1e7
MOST_BUCKETS = 1000
MOST_SPEEDS = 100


@dataclasses.dataclass(frozen=True)
class DataConfig:
    """How training batches are made.

    Attributes:
        batch_size: largest number of utterances in a batch.
        batch_seconds: longest audio of a batch, padding included.
        bucket_seconds: upper limits of the length buckets; longer utterances share one.
        speeds: each training utterance is played at one of these, chosen anew every pass.
        spec_augment: masks over time and frequency, or null for none.
        join: share of the training utterances to which another one is appended. On a small
            corpus it keeps the model from learning whole transcripts by heart. A front end that
            normalises utterances normalises each of the two.
        gain: standard deviation, in natural-logarithm units, of a random gain and of a random
            spectral tilt of each training utterance.
        cache: hold the features of all speeds in memory; for small corpora. Each has the same
            noise and room in all passes then.
        noise: noise that is added to training utterances, or null for none.
        reverberation: rooms that training utterances are heard in, before noise is added, or null
            for none.
    """

    batch_size: int = 8
    batch_seconds: float = 120.0
    bucket_seconds: tuple[float, ...] = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 12.0, 16.0, 24.0)
    speeds: tuple[float, ...] = (0.9, 1.0, 1.1)
    spec_augment: SpecAugmentConfig | None = SpecAugmentConfig()
    join: float = 0.0
    gain: float = 0.0
    cache: bool = False
    noise: NoiseConfig | None = None
    reverberation: ReverberationConfig | None = None

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        require_within("batch_size", self.batch_size, 1, MOST_UTTERANCES)
        seconds = self.batch_seconds
        require(0 < seconds < math.inf, f"batch_seconds: {seconds} is not a number above 0")
        require_within("batch_seconds", seconds, 0, MOST_SECONDS)
        limits, speeds = self.bucket_seconds, self.speeds
        ascending = all(a < b for a, b in itertools.pairwise((0.0, *limits, math.inf)))
        require(
            len(limits) > 0 and ascending,
            f"bucket_seconds: {list(limits)} are not numbers above 0, each above the last",
        )
        require_within("bucket_seconds", limits[-1], 0, MOST_SECONDS)
        require_within("bucket_seconds: their number", len(limits), 1, MOST_BUCKETS)
        require(
            len(speeds) > 0 and all(0 < speed < math.inf for speed in speeds),
            f"speeds: {list(speeds)} are not one or more numbers above 0",
        )
        require_within("speeds: their number", len(speeds), 1, MOST_SPEEDS)
        for speed in (min(speeds), max(speeds)):  # a word is no word any more
            require_within("speeds", speed, 0.1, 10)
        require(0 <= self.join <= 1, f"join: {self.join} is not from 0 to 1")
        require(0 <= self.gain < math.inf, f"gain: {self.gain} is not a number from 0 up")
