"""What the examples share: one float model, trained on in float and at 8, 4 and 2 bits."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from tensorflow import keras

import asr_qat
import tflite_export

BATCH = 64
SEED = 0
FLOAT, INT4 = "float32", "int4"
PRECISIONS = {"int8": "w8a8", INT4: "w4a8", "int2": "w2a8"}
AFTER_TRAINING = "int4 after training"
WORK = Path("work/any_keras")  # for files

Inputs = dict[str, np.ndarray]  # by name, the first dimension is that of the examples


@dataclasses.dataclass(frozen=True)
class Split:
    """Some examples.

    Attributes:
        inputs: of the model.
        labels: int `[examples]`, numbers of classes.
    """

    inputs: Inputs
    labels: np.ndarray


@dataclasses.dataclass(frozen=True)
class Example:
    """A task with data and a model.

    Attributes:
        name: in tables.
        data: gives the examples that are trained on and those of the test.
        build: gives the untrained model, with logits of classes as its first output.
        epochs: that the float model is trained.
        more_epochs: that it is trained on, in float or quantized.
        overrides: precisions of products by pattern, as of `asr_qat.quantize_model`.
    """

    name: str
    data: Callable[[], tuple[Split, Split]]
    build: Callable[[], keras.Model]
    epochs: int
    more_epochs: int
    overrides: dict[str, str]

    def trained(self, train: Split) -> keras.Model:
        """The float model that everything else starts from."""
        keras.utils.set_random_seed(SEED)
        model = self.build()
        fit(model, train, self.epochs, rate=2e-3)
        return model

    def train_on(self, model: keras.Model, train: Split) -> None:
        """As long, and in the same order, whatever the precision."""
        keras.utils.set_random_seed(SEED + 1)
        fit(model, train, self.more_epochs, rate=5e-4)

    def quantized(self, model: keras.Model, precision: str, train: Split) -> keras.Model:
        """Trained on with the quantized weights of one precision."""
        quantized = asr_qat.quantize_model(model, precision, self.overrides)
        self.train_on(quantized, train)
        return quantized

    def variants(self, model: keras.Model, train: Split) -> dict[str, keras.Model]:
        """What a trained float model becomes, by name; the first one is float, trained on."""
        longer = keras.models.clone_model(model)
        longer.set_weights(model.get_weights())
        self.train_on(longer, train)
        found = {FLOAT: longer}
        for name, precision in PRECISIONS.items():
            found[name] = self.quantized(model, precision, train)
        found[AFTER_TRAINING] = asr_qat.quantize_after_training(
            longer, PRECISIONS[INT4], overrides=self.overrides
        )
        return found


def write(models: Mapping[str, keras.Model], test: Split, folder: Path) -> dict[str, Path]:
    """The `.tflite` of each model, for one example at a time."""
    files = {name: folder / f"{name.replace(' ', '_')}.tflite" for name in models}
    for name, model in models.items():
        tflite_export.export(model, files[name], {"serving_default": shapes(test)})
    return files


def shapes(split: Split) -> dict[str, tuple[int, ...]]:
    """Of the inputs of one example, by name."""
    return {name: (1, *x.shape[1:]) for name, x in split.inputs.items()}


def fit(model: keras.Model, train: Split, epochs: int, rate: float) -> None:
    """Train with Adam, from a learning rate down to nothing."""
    steps = epochs * -(-len(train.labels) // BATCH)
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    losses = [loss, *[None] * (len(model.outputs) - 1)]
    model.compile(keras.optimizers.Adam(schedule), losses)
    model.fit(train.inputs, train.labels, BATCH, epochs, verbose=0)
