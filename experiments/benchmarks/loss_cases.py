"""What the benchmark of the transducer loss runs: implementations, inputs, peak memory."""

import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from asr_qat.losses.fused_transducer import fused_transition_log_probs
from asr_qat.losses.transducer import lattice_loss, transducer_loss
from experiments.benchmarks.naive_transducer import naive_transducer_loss, rowwise_transducer_loss
from tflite_export.score.fresh_process import PEAK, RESIDENT, memory_mb, result_of

JOINT_FEATURES = 640  # as in Conformer-L
FUSED_FRAMES = 16  # in a slice
PHILOX = 1  # the number of that generator in TensorFlow

# Each takes the logits, and gives the losses and their gradient.
LOSSES = {
    "ours": (transducer_loss, False),
    "ours, XLA": (transducer_loss, True),
    "naive": (naive_transducer_loss, False),
    "naive, row-wise": (rowwise_transducer_loss, False),
}
PEER = "torchaudio"  # optional
# Each takes the inputs and weights of a joint network, and gives the losses and all gradients.
JOINTS = ("joint, then ours", "joint and ours fused")


class Shape(NamedTuple):
    """Of a lattice and its logits."""

    batch: int
    time: int
    labels: int
    classes: int


def losses() -> list[str]:
    """The names of all implementations at hand, the optional peer among them."""
    try:
        importlib.import_module(PEER)
    except ImportError:
        return list(LOSSES)
    return [*LOSSES, PEER]


def build(name: str, shape: Shape, seed: int = 0) -> Callable[[], list[Any]]:
    """Inputs and implementation as a function that gives the losses and the gradients."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, shape.classes - 1, (shape.batch, shape.labels), np.int32)
    frames = np.full(shape.batch, shape.time, np.int32)
    counts = np.full(shape.batch, shape.labels, np.int32)
    lattice = (labels, frames, counts)

    def normal(*dimensions):
        # One operation: nothing is left in the allocator that a later one could use.
        key = tf.constant(rng.integers(0, 2**63, 1), tf.uint64)
        return tf.raw_ops.StatelessRandomNormalV2(
            shape=dimensions, key=key, counter=tf.zeros([2], tf.uint64), alg=PHILOX
        )

    if name in JOINTS:
        loss = _fused if name == JOINTS[1] else _unfused
        inputs = [
            normal(shape.batch, shape.time, JOINT_FEATURES),
            normal(shape.batch, 1 + shape.labels, JOINT_FEATURES),
            normal(JOINT_FEATURES, shape.classes) / JOINT_FEATURES**0.5,
            normal(shape.classes),
        ]
        return _step(loss, inputs, lattice)
    logits = normal(shape.batch, shape.time, 1 + shape.labels, shape.classes)
    if name == PEER:
        return _peer_step(logits, lattice)
    return _step(LOSSES[name][0], [logits], lattice, xla=LOSSES[name][1])


def _step(loss, inputs, lattice, xla=False):
    @tf.function(autograph=False, jit_compile=xla or None)
    def step(inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            result = loss(*inputs, *lattice)
        return [result, *tape.gradient(result, inputs)]

    return lambda: step(inputs)


def _peer_step(logits, lattice):
    torch, torchaudio = (importlib.import_module(name) for name in ("torch", PEER))
    torch.set_num_threads(1)
    logits = torch.from_dlpack(tf.experimental.dlpack.to_dlpack(logits)).requires_grad_()
    lattice = [torch.from_numpy(values) for values in lattice]
    blank = logits.shape[-1] - 1

    def step():
        result = torchaudio.functional.rnnt_loss(logits, *lattice, blank, reduction="none")
        return [result.detach(), *torch.autograd.grad(result.sum(), logits)]

    return step


def _join(encoded, predicted, kernel, bias):
    hidden = tf.tanh(encoded[:, :, None] + predicted[:, None])
    return tf.tensordot(hidden, kernel, 1) + bias


def _unfused(encoded, predicted, kernel, bias, labels, frames, counts):
    return transducer_loss(_join(encoded, predicted, kernel, bias), labels, frames, counts)


def _fused(encoded, predicted, kernel, bias, labels, frames, counts):
    weights = [kernel, bias]
    transitions = fused_transition_log_probs(
        _join, encoded, predicted, labels, weights, FUSED_FRAMES
    )
    blank, label = tf.unstack(transitions, axis=-1)
    return lattice_loss(blank, label[:, :, :-1], frames, counts)


def peak_mb(name: str, shape: Shape) -> float:
    """Peak memory in MB (2^20) of a step, its inputs included, in a process of its own."""
    return result_of(own_peak_mb, name, shape)


def one_thread() -> None:
    """Let TensorFlow compute with one thread. Before its first operation."""
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


def own_peak_mb(name: str, shape: Sequence[int]) -> float:
    """What this process, a new one, takes for a step, MB (2^20)."""
    one_thread()
    build(name, Shape(1, 4, 2, 8))()  # libraries are loaded, and count no more
    before = memory_mb(RESIDENT)
    step = build(name, Shape(*shape))
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts from here
    for _ in range(2):
        [np.asarray(value).ravel()[:1] for value in step()]
    return memory_mb(PEAK) - before
