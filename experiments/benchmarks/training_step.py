"""What a training step costs: float, fake and native quantization, and where the time goes."""

import collections
import tempfile
import time
from pathlib import Path

import numpy as np
import tensorflow as tf

from asr_qat.losses.ctc import CTCLoss
from asr_qat.losses.targets import pack_targets
from asr_qat.models.ctc import build_ctc
from asr_qat.models.presets import PRESETS
from asr_qat.progress import progress
from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from asr_qat.training.config import OptimizerConfig
from asr_qat.training.graph_options import keep_graphs_as_they_are
from asr_qat.training.run import build_optimizer, seed_everything
from asr_qat.training.training_step import TrainedModel
from experiments.benchmarks.rows import KernelTime, StepCost, StepFigures

VOCABULARY = 128
LABELS = 20  # in each utterance
MEL_BINS = 80
FRAMES_PER_SECOND = 100
PROFILED_STEPS = 5


def benchmark(
    preset: str,
    precision: str = "w4a8",
    batch: int = 8,
    seconds: float = 3.0,
    rounds: int = 30,
    seed: int = 0,
    quiet: bool = False,
) -> StepFigures:
    """Time training steps of the same model and batch, the variants in turn.

    Args:
        preset: encoder shape.
        precision: of the quantized variants.
        batch: utterances in the batch.
        seconds: audio in each.
        rounds: timed steps of each variant.
        seed: of weights and data.
        quiet: no progress.
    """
    keep_graphs_as_they_are()
    seed_everything(seed)
    plain = build_ctc(PRESETS[preset], VOCABULARY, MEL_BINS)
    models = {
        "float": plain,
        "fake QAT": quantize_model(plain, QuantizationConfig(precision, "fake")),
        "native QAT": quantize_model(plain, QuantizationConfig(precision, "native")),
    }
    data = _batch(batch, round(seconds * FRAMES_PER_SECOND), seed)
    steps = {name: _step(model, data) for name, model in models.items()}
    for step in steps.values():
        for _ in range(3):  # tracing, and kernels that are chosen at first use
            step()
    times = np.zeros((rounds, len(steps)))
    for i in progress(range(rounds), "time", rounds, "round", quiet):
        for j, step in enumerate(steps.values()):
            started = time.perf_counter()
            step()
            times[i, j] = time.perf_counter() - started
    return StepFigures(
        preset=preset,
        precision=precision,
        parameters=plain.count_params(),
        batch=batch,
        utterance_seconds=seconds,
        rounds=rounds,
        rows=tuple(cost_rows(times, list(steps), batch * seconds)),
        profile=tuple(profile(steps["native QAT"])),
    )


def cost_rows(times: np.ndarray, names: list[str], audio_seconds: float) -> list[StepCost]:
    """A row for each variant.

    Args:
        times: seconds of a step, `[rounds, variants]`, float the first of them.
        names: of the variants.
        audio_seconds: in a batch.
    """
    rows = []
    for name, own in zip(names, times.T, strict=True):
        step, costs = float(np.median(own)), own / times[:, 0]
        rows.append(
            StepCost(
                name=name,
                step_ms=1000 * step,
                costs=tuple(costs.tolist()),
                cost=float(np.median(costs)),
                cost_min=float(costs.min()),
                cost_max=float(costs.max()),
                audio_seconds_per_second=audio_seconds / step,
            )
        )
    return rows


def _batch(utterances: int, frames: int, seed: int):
    rng = np.random.default_rng(seed)
    features = tf.constant(rng.standard_normal((utterances, frames, MEL_BINS)), tf.float32)
    lengths = tf.fill([utterances], frames)
    labels = tf.constant(rng.integers(0, VOCABULARY, (utterances, LABELS)), tf.int32)
    return (features, lengths), pack_targets(lengths, labels)


def _step(model, data):
    """One update on `data`, as a training makes it; waits until it is done."""
    config = OptimizerConfig()
    trained = TrainedModel(model, [(CTCLoss(), 1.0)], config)
    trained.compile(build_optimizer(config, 1000))
    update = tf.function(lambda: trained.train_step(data), autograph=False)
    return lambda: update()["loss"].numpy()


def profile(step) -> list[KernelTime]:
    """The kernels with the largest share of a step's processor time, by TensorFlow's profiler."""
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    with tempfile.TemporaryDirectory() as folder:
        tf.profiler.experimental.start(folder)
        for _ in range(PROFILED_STEPS):
            step()
        tf.profiler.experimental.stop()
        (file,) = Path(folder).glob("**/*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    nanoseconds: collections.Counter[str] = collections.Counter()
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                name = plane.event_metadata[event.metadata_id].name
                # A kernel is called "node name:operation"; calls of whole functions are not.
                if ":" in name and "::" not in name and "__inference" not in name:
                    nanoseconds[name.rsplit(":", 1)[1]] += event.duration_ps / 1000
    total = sum(nanoseconds.values())
    return [
        KernelTime(kernel=kernel, ms=spent / 1e6 / PROFILED_STEPS, share=spent / total)
        for kernel, spent in nanoseconds.most_common(12)
    ]
