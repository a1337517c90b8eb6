"""What a step of training costs when it is quantized: MobileNetV2, beside tfmot's 8-bit wrapper."""

import dataclasses
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
from tensorflow import keras

import asr_qat
from asr_qat.provenance import code_commit
from asr_qat.quantize.stock.rules import in_products
from experiments.targets import Row, at_most

ROUNDS = 7
BATCH, SIZE, CLASSES = 32, 96, 10
MOST = 1.25  # times the float step
FLOAT, FOLDED = "float32", "float32, batch normalisation folded"
OWN, TFMOT = "w4a8", "tfmot, 8 bits"


@dataclasses.dataclass(frozen=True)
class StepRow:
    """The training steps of a model.

    Attributes:
        name: how it is quantized.
        seconds: of a step, the median.
        times: the float step, median of the rounds' ratios; all run in turn.
        threads: of TensorFlow.
        commit: of the code that measured it.
    """

    name: str
    seconds: float
    times: float
    threads: int
    commit: str


def measure(work: Path) -> tuple[StepRow, ...]:
    """Float, quantized here and by tfmot, in turn.

    Args:
        work: not used.
    """
    del work
    built: dict[str, Callable[[], keras.Model]] = {
        FLOAT: _build,
        FOLDED: lambda: in_products(_build()),  # as of the quantized models
        OWN: lambda: asr_qat.quantize_model(_build(), OWN),
        "w2a8": lambda: asr_qat.quantize_model(_build(), "w2a8"),
        TFMOT: lambda: tfmot.quantization.keras.quantize_model(_build()),
    }
    x = tf.random.uniform((BATCH, SIZE, SIZE, 3))
    y = tf.random.uniform((BATCH,), 0, CLASSES, dtype=tf.int32)
    steps = {name: _step(build()) for name, build in built.items()}
    for step in steps.values():
        step(x, y)
    taken = np.zeros((ROUNDS, len(steps)))
    for round_ in range(ROUNDS):
        for i, step in enumerate(steps.values()):
            started = time.perf_counter()
            step(x, y)
            taken[round_, i] = time.perf_counter() - started
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    return tuple(
        StepRow(
            name=name,
            seconds=float(np.median(own)),
            times=float(np.median(own / taken[:, 0])),
            threads=threads,
            commit=code_commit(),
        )
        for name, own in zip(steps, taken.T, strict=True)
    )


def _build() -> keras.Model:
    return keras.applications.MobileNetV2(
        weights=None, input_shape=(SIZE, SIZE, 3), classes=CLASSES
    )


def _step(model: keras.Model) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    optimizer = keras.optimizers.SGD(0.01)

    @tf.function
    def step(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            predicted = model(x, training=True)
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(y, predicted))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step


def targets(rows: tuple[StepRow, ...]) -> list[Row]:
    """What was promised of the step."""
    return [
        at_most("MobileNetV2: times the float step, w4a8", row.times, MOST)
        for row in rows
        if row.name == OWN
    ]
