"""Time, memory and exactness of the transducer loss, beside other implementations."""

import time
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from asr_qat.losses.transducer import transducer_loss
from asr_qat.progress import progress_bar
from experiments.benchmarks.loss_cases import JOINTS, Shape, build, losses, peak_mb
from experiments.benchmarks.naive_transducer import brute_force_loss
from experiments.benchmarks.rows import GradientDifferences, LossFigures, LossRow
from tflite_export.score.rows import combine

# A common one, one dimension of it changed at a time, then all but the classes.
SHAPES = (
    Shape(1, 200, 50, 1024),
    Shape(1, 400, 50, 1024),
    Shape(1, 200, 100, 1024),
    Shape(1, 200, 50, 4096),
    Shape(4, 250, 60, 1024),
)
JOINT_SHAPES = (Shape(4, 250, 60, 1024),)
LIMIT_S = 4.0  # an implementation that took this long at a shape is timed no more
LATTICES = 200  # for the check against brute force


def benchmark_loss(
    shapes: tuple[Shape, ...] = SHAPES,
    joint_shapes: tuple[Shape, ...] = JOINT_SHAPES,
    rounds: int = 15,
    quiet: bool = False,
) -> LossFigures:
    """Measure loss and gradient of all implementations, in turn, at each shape.

    Args:
        shapes: of the rows whose gradient is that of the logits.
        joint_shapes: of those with a joint network, whose gradients are those of its inputs
            and weights.
        rounds: timed steps of each, at most.
        quiet: no progress.
    """
    plan = [(shape, losses(), "ours", "naive") for shape in shapes]
    plan += [(shape, list(JOINTS), JOINTS[0], JOINTS[0]) for shape in joint_shapes]
    bar = progress_bar("benchmark", sum(2 * len(names) for _, names, *_ in plan), "case", quiet)
    groups = [_rows(*entry, rounds, bar.update) for entry in plan]
    bar.close()
    return LossFigures(
        threads=1,
        brute_force_max_error=brute_force_max_error(),
        finite_difference_max_error=finite_difference_max_error(),
        rows=tuple(row for group in groups[: len(shapes)] for row in group),
        joint_rows=tuple(row for group in groups[len(shapes) :] for row in group),
    )


def _rows(
    shape: Shape,
    names: list[str],
    exact: str,
    base: str,
    rounds: int,
    tick: Callable[[], object],
) -> list[LossRow]:
    """The rows of one shape: differences to `exact`, speed in times that of `base`."""
    peaks = {}
    for name in names:
        peaks[name] = peak_mb(name, shape)
        tick()
    expected = _arrays(build(exact, shape)())
    steps, differences = {}, {}
    for name in names:
        steps[name] = build(name, shape)
        differences[name] = _differences(_arrays(steps[name]()), expected)  # and traces it
        tick()
    del expected
    times: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(rounds):
        for name, step in steps.items():
            if sum(times[name]) < LIMIT_S:
                started = time.perf_counter()
                result = step()
                np.asarray(result[0])  # waits for it
                times[name].append(time.perf_counter() - started)
                del result
    medians = {name: float(np.median(spent)) for name, spent in times.items()}
    return [
        combine(
            LossRow,
            differences[name],
            implementation=name,
            **shape._asdict(),
            rounds=len(times[name]),
            median_ms=1000 * medians[name],
            speed=medians[base] / medians[name],
            peak_mb=peaks[name],
        )
        for name in names
    ]


def _arrays(values) -> list[np.ndarray]:
    return [np.asarray(value) for value in values]


def _differences(result: list[np.ndarray], expected: list[np.ndarray]) -> GradientDifferences:
    """Of losses, relative, and of gradients, relative to the largest entry of each."""
    loss, *gradients = (
        float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(result, expected, strict=True)
    )
    return GradientDifferences(max_loss_diff=loss, max_grad_diff=max(gradients))


def brute_force_max_error(lattices: int = LATTICES, seed: int = 0) -> float:
    """Largest difference, in nats, to the sum over all alignments of small random lattices."""
    rng = np.random.default_rng(seed)
    worst = 0.0
    for _ in range(lattices):
        frames, count, classes = rng.integers((1, 0, 2), (6, 5, 6))
        logits = 2 * rng.standard_normal((1, frames, count + 1, classes), np.float32)
        labels = rng.integers(0, classes - 1, (1, count), np.int32)
        loss = transducer_loss(logits, labels, _int(frames), _int(count))
        worst = max(worst, abs(float(loss[0]) - brute_force_loss(logits[0], labels[0], frames)))
    return worst


def finite_difference_max_error(seed: int = 0, step: float = 1e-5) -> float:
    """Largest difference of a gradient's entry to central differences of brute force."""
    rng = np.random.default_rng(seed)
    logits = 2 * rng.standard_normal((1, 5, 4, 5), np.float32)
    labels = rng.integers(0, 4, (1, 3), np.int32)
    tensor = tf.constant(logits)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        loss = transducer_loss(tensor, labels, _int(5), _int(3))
    gradient = tape.gradient(loss, tensor).numpy()
    worst = 0.0
    for index in np.ndindex(logits.shape):
        around = []
        for sign in (1, -1):
            moved = logits.astype(np.float64)
            moved[index] += sign * step
            around.append(brute_force_loss(moved[0], labels[0], 5))
        worst = max(worst, abs(gradient[index] - (around[0] - around[1]) / (2 * step)))
    return float(worst)


def _int(value):
    return tf.constant([value], tf.int32)
