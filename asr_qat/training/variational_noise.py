"""Variational noise: Gaussian noise on weights while their gradient is computed (Graves, 2011)."""

import contextlib
import dataclasses
import math
import re
import zlib
from collections.abc import Iterator

import tensorflow as tf
from tensorflow import keras

from asr_qat.bounds import MOST_STEPS, require_within
from asr_qat.errors import require
from asr_qat.quantize.patterns import check_pattern


@dataclasses.dataclass(frozen=True)
class VariationalNoiseConfig:
    """Noise on some of the weights.

    Attributes:
        std: standard deviation of the noise.
        start_step: updates before it begins.
        layers: regular expression, searched in the names of the layers; by default the
            prediction network's.
    """

    std: float = 0.075
    start_step: int = 0
    layers: str = "^prediction_"

    def __post_init__(self) -> None:
        """Raise `UserError` for a value out of range."""
        require(0 < self.std < math.inf, f"std: {self.std} is not a number above 0")
        require_within("start_step", self.start_step, 0, MOST_STEPS)
        check_pattern("layers", self.layers)


class VariationalNoise:
    """The noise of each step is a function of seed, step and weight, whatever the replica.

    Args:
        model: some of its layers get the noise.
        config: which, and how much.
        seed: of the noise.

    Raises:
        UserError: the layers that `config` names are not in the model, or have no weights.
    """

    def __init__(self, model: keras.Model, config: VariationalNoiseConfig, seed: int):
        self._config = config
        layers = [layer for layer in model.layers if re.search(config.layers, layer.name)]
        # By the layer's name: a weight's own is another one in a copy of a quantized model.
        named = {
            f"{layer.name}/{index}": weight
            for layer in layers
            for index, weight in enumerate(layer.trainable_weights)
        }
        self._variables = list(named.values())
        self._seeds = [seed + zlib.crc32(name.encode()) for name in named]
        require(
            bool(self._variables),
            f"variational_noise: layers: '{config.layers}' matches no layer with weights",
        )

    @contextlib.contextmanager
    def added(self, step) -> Iterator[None]:
        """Within the block the weights have the noise of `step`, an integer scalar."""
        clean = [tf.identity(variable) for variable in self._variables]
        std = tf.where(step >= self._config.start_step, self._config.std, 0.0)
        noise = [
            std * tf.random.stateless_normal(value.shape, tf.stack([seed, tf.cast(step, tf.int64)]))
            for value, seed in zip(clean, self._seeds, strict=True)
        ]
        _assign(self._variables, [w + n for w, n in zip(clean, noise, strict=True)])
        yield
        _assign(self._variables, clean)


def _assign(variables, values) -> None:
    """Assign on this replica, or on all replicas together where there are several."""

    def on_all(strategy, values):
        for variable, value in zip(variables, values, strict=True):
            strategy.extended.update(
                variable, lambda v, new: v.assign(new), args=(value,), group=False
            )

    strategy = tf.distribute.get_strategy()
    tf.__internal__.distribute.interim.maybe_merge_call(on_all, strategy, values)
