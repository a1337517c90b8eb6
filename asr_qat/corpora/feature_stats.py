"""Statistics of features, `stats.json` of prepared folders and model directories."""

import dataclasses

import numpy as np

from asr_qat.audio.front_end import FrontEndConfig
from asr_qat.bounds import LEAST_STD, MOST_MEAN, MOST_STD
from asr_qat.errors import require


@dataclasses.dataclass(frozen=True)
class FeatureStats:
    """Statistics of the training split's features.

    Attributes:
        mean: float32 `[mel_bins]`.
        std: float32 `[mel_bins]`.
        frames: number of frames that they were computed from.
        front_end: the front end that made the features.
    """

    mean: np.ndarray
    std: np.ndarray
    frames: int
    front_end: FrontEndConfig


@dataclasses.dataclass(frozen=True)
class SavedMoments:
    """What a model directory holds of them.

    Attributes:
        mean: of each mel bin.
        std: its standard deviation.
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __post_init__(self) -> None:
        """Raise `UserError` for a number that no feature has."""
        for index, value in enumerate(self.mean):
            fits = -MOST_MEAN <= value <= MOST_MEAN
            require(fits, f"mean[{index}]: {value} is not the mean of a feature")
        for index, value in enumerate(self.std):
            fits = LEAST_STD <= value <= MOST_STD
            require(fits, f"std[{index}]: {value} is not the deviation of a feature")

    def arrays(self, mel_bins: int, where: str) -> tuple[np.ndarray, np.ndarray]:
        """Mean and deviation, float32 `[mel_bins]`.

        Raises:
            UserError: which `where` begins: there are more of them or less.
        """
        for name, values in (("mean", self.mean), ("std", self.std)):
            counts = f"{len(values)} numbers, the front end has {mel_bins} mel bins"
            require(len(values) == mel_bins, f"{where}: {name}: {counts}")
        return np.array(self.mean, np.float32), np.array(self.std, np.float32)


@dataclasses.dataclass(frozen=True)
class SavedStats(SavedMoments):
    """What a prepared folder holds of them.

    Attributes:
        frames: number of frames that they were computed from.
        front_end: the front end that made the features.
    """

    frames: int
    front_end: FrontEndConfig

    def __post_init__(self) -> None:
        """Raise `UserError` for a number that no feature has, or for no frame."""
        super().__post_init__()
        require(self.frames >= 1, f"frames: {self.frames} is less than 1")

    def stats(self, where: str) -> FeatureStats:
        """The same as arrays, see `arrays`."""
        mean, std = self.arrays(self.front_end.mel_bins, where)
        return FeatureStats(mean, std, self.frames, self.front_end)
