"""Learning rate by step: a linear warm-up, then a decay."""

import dataclasses
import math
from typing import Literal

import tensorflow as tf
from tensorflow import keras

from asr_qat.bounds import MOST_STEPS, require_within
from asr_qat.errors import require


@dataclasses.dataclass(frozen=True)
class ScheduleConfig:
    """Shape of the schedule.

    Attributes:
        peak: learning rate at the end of the warm-up.
        warmup: steps from zero to the peak.
        decay: `cosine` to zero at the last step, or `inverse_sqrt` (Vaswani et al., 2017).
    """

    peak: float = 1e-3
    warmup: int = 1000
    decay: Literal["cosine", "inverse_sqrt"] = "cosine"

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        require(0 < self.peak < math.inf, f"peak: {self.peak} is not a number above 0")
        require_within("warmup", self.warmup, 0, MOST_STEPS)


class WarmupSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """Linear to `config.peak`, then `config.decay`; `steps` is the length of the training."""

    def __init__(self, config: ScheduleConfig, steps: int):
        self.config = config
        self.steps = steps

    def __call__(self, step):
        config = self.config
        step = tf.cast(step, tf.float32) + 1.0
        warmup = float(max(config.warmup, 1))
        if config.decay == "cosine":
            done = (step - warmup) / max(self.steps - warmup, 1.0)
            after = 0.5 * (1.0 + tf.cos(math.pi * tf.clip_by_value(done, 0.0, 1.0)))
        else:
            after = tf.sqrt(warmup / step)
        return config.peak * tf.where(step < warmup, step / warmup, after)

    def get_config(self):
        return {"config": dataclasses.asdict(self.config), "steps": self.steps}
