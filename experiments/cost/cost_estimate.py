"""What training on LibriSpeech takes: floating-point operations, hours and money on 8 GPUs.

Nothing here was run on a GPU. The operations are counted, the steps are those of the
configuration files, the cost of quantization is measured on a CPU; the rest are the assumptions
of `GPUS` and `UTILISATION`, which the page lists.
"""

import dataclasses
import time
from collections.abc import Mapping

import numpy as np
import tensorflow as tf
from tensorflow import keras

from asr_qat.audio.front_end import FrontEndConfig, subsampled_length
from asr_qat.corpora.transcript_lengths import WORD_PIECES, TranscriptLengths
from asr_qat.layers.relative_attention import RelativeAttention
from asr_qat.losses.targets import pack_targets
from asr_qat.losses.transducer import TransducerLoss
from asr_qat.models.conformer import halvings_of
from asr_qat.models.layer_names import network_of
from asr_qat.models.model_config import ModelConfig
from asr_qat.models.model_directory import build_float
from asr_qat.models.presets import PRESETS, TRANSDUCERS
from asr_qat.progress import progress
from asr_qat.quantize.apply import QuantizationConfig, quantize_model
from asr_qat.training.config import OptimizerConfig, TrainConfig
from asr_qat.training.graph_options import keep_graphs_as_they_are
from asr_qat.training.run import build_optimizer, seed_everything
from asr_qat.training.training_step import TrainedModel
from experiments.cost.cost_rows import (
    Estimate,
    MeasuredSteps,
    PresetCount,
    Range,
    StageCost,
    TrainingFlop,
)


@dataclasses.dataclass(frozen=True)
class GPU:
    """An accelerator as its data sheet and price lists describe it.

    Attributes:
        name: of the product.
        bf16: peak of dense bfloat16 products, FLOP/s.
        tf32: the same of TensorFloat-32, in which a GPU multiplies float32 matrices.
        price: of an hour, US dollars, lowest and highest.
    """

    name: str
    bf16: float
    tf32: float
    price: Range


GPU_COUNT = 8
# Peaks: NVIDIA's data sheets of the SXM modules, without sparsity. Prices: our assumption of
# what clouds ask on demand, from specialised to large ones; they change.
GPUS = (GPU("A100", 312e12, 156e12, (1.2, 4.1)), GPU("H100", 989e12, 494e12, (2.0, 7.0)))
# Share of the peak that is sustained over a whole run, padding, input and evaluation included.
# An assumption; narrow products wait for memory, so that small models use less of it.
UTILISATION: Mapping[str, Range] = {"S": (0.03, 0.20), "M": (0.05, 0.30), "L": (0.10, 0.40)}
CORPUS_HOURS = 960.0
PASSES = 3  # forward, and the gradients of inputs and of weights
# What float32 computes beside `compute: bfloat16`: the recurrence and the joint network, and
# in quantized training every product with weights.
FLOAT32 = {"float": ("prediction", "joint"), "w4a8": ("products", "prediction", "joint")}
PRODUCTS = ("MatMul", "BatchMatMul", "Conv2D", "DepthwiseConv2dNative")  # in the profiler
MEASURED = "S"  # preset, and the batch, of the steps that are timed
BATCH, SECONDS = 4, 10.0


def forward_macs(model: keras.Model, frames, labels, batch: int = 1) -> dict[str, np.ndarray]:
    """Multiplications of a float transducer's forward pass, for each utterance.

    Args:
        model: from `build_transducer`.
        frames: int `[utterances]`, feature frames.
        labels: int `[utterances]`.
        batch: utterances that share the projections of the relative positions.

    Returns:
        float `[utterances]` by part: `products` of the encoder with weights, `convolutions`,
        `attention` (products of activations), `prediction` and `joint` network.
    """
    encoded = subsampled_length(np.asarray(frames), halvings_of(model))
    steps = 1 + np.asarray(labels)
    parts = ("products", "convolutions", "attention", "prediction", "joint")
    macs = {part: np.zeros(np.shape(frames)) for part in parts}
    for layer in model.layers:
        name = layer.name
        if isinstance(layer, RelativeAttention):
            channels = layer.output_shape[-1]
            macs["attention"] += channels * encoded * (encoded + (2 * encoded - 1) + encoded)
            continue
        kernel = getattr(layer, "kernel", getattr(layer, "depthwise_kernel", None))
        if kernel is None:
            continue
        part, rows = "products", encoded
        if network_of(name) == "prediction":
            part, rows = "prediction", steps
        elif network_of(name) == "joint":
            part, rows = "joint", encoded * steps
        elif name.endswith("_position"):
            rows = (2 * encoded - 1) / batch
        elif name == "subsampling_conv":
            part, rows = "convolutions", -(-np.asarray(frames) // 2)
        elif name.endswith("_depthwise"):
            part = "convolutions"
        bands = layer.output_shape[2] if name.startswith("subsampling_") else 1
        if name == "subsampling_project":
            bands = 1
        macs[part] += int(np.prod(kernel.shape)) * bands * rows
    return macs


def profiled_macs(model: keras.Model, frames: int, labels: int) -> float:
    """The same for one utterance by TensorFlow's profiler, which leaves out the LSTM's loop."""
    specs = [
        tf.TensorSpec([1, frames, model.inputs[0].shape[-1]]),
        tf.TensorSpec([1], tf.int32),
        tf.TensorSpec([1, labels], tf.int32),
    ]
    graph = tf.function(model, autograph=False).get_concrete_function(specs).graph
    profiler = tf.compat.v1.profiler
    options = {**profiler.ProfileOptionBuilder.float_operation(), "output": "none"}
    found = profiler.profile(graph, cmd="op", options=options)
    total, node = 0, found
    while node.children:  # a chain, each with what is left; its own operation's share is exact
        node = node.children[0]
        if node.name.startswith(PRODUCTS):
            total += node.float_ops
    return total / 2


def measure_steps(
    rounds: int, labels: int, threads: int, quiet: bool = False, seed: int = 0
) -> MeasuredSteps:
    """Time steps of `MEASURED` in turn, float and native, on a batch of `BATCH` x `SECONDS`.

    Args:
        rounds: timed steps of each.
        labels: of each utterance.
        threads: that TensorFlow was told to use.
        quiet: no progress.
        seed: of weights and data.
    """
    keep_graphs_as_they_are()
    seed_everything(seed)
    plain = build_float(
        ModelConfig(PRESETS[MEASURED], transducer=TRANSDUCERS[MEASURED]), WORD_PIECES
    )
    rng = np.random.default_rng(seed)
    front_end = FrontEndConfig()
    frames = front_end.frames(round(SECONDS * front_end.sample_rate))
    features = tf.constant(rng.standard_normal((BATCH, frames, front_end.mel_bins)), tf.float32)
    lengths = tf.fill([BATCH], frames)
    tokens = tf.constant(rng.integers(0, WORD_PIECES, (BATCH, labels)), tf.int32)
    data = (features, lengths, tokens), pack_targets(lengths, tokens)
    steps = []
    for model in (plain, quantize_model(plain, QuantizationConfig("w4a8"))):
        trained = TrainedModel(model, [(TransducerLoss(), 1.0)], OptimizerConfig())
        trained.compile(build_optimizer(OptimizerConfig(), 1000))
        steps.append(tf.function(lambda model=trained: model.train_step(data), autograph=False))
        steps[-1]()["loss"].numpy()  # traced
    seconds = np.zeros((rounds, len(steps)))
    for i in progress(range(rounds), "time", rounds, "round", quiet):
        for j, step in enumerate(steps):
            started = time.perf_counter()
            step()["loss"].numpy()
            seconds[i, j] = time.perf_counter() - started
    flop = 2 * PASSES * BATCH * sum(forward_macs(plain, frames, labels, BATCH).values())
    return MeasuredSteps(
        preset=MEASURED,
        batch=BATCH,
        utterance_seconds=SECONDS,
        labels=labels,
        float_seconds=float(np.median(seconds[:, 0])),
        native_seconds=float(np.median(seconds[:, 1])),
        native_cost=float(np.median(seconds[:, 1] / seconds[:, 0])),
        step_flop=float(flop),
        float_flop_per_second=float(flop / np.median(seconds[:, 0])),
        threads=threads,
    )


def estimate(
    stages: Mapping[tuple[str, str], TrainConfig],
    lengths: TranscriptLengths,
    native_cost: float,
) -> Estimate:
    """Operations, hours and dollars of training runs.

    Args:
        stages: configuration by preset and `float` or `w4a8`.
        lengths: of the utterances.
        native_cost: time of a quantized step, in those of a float step.
    """
    front_end = FrontEndConfig()
    frames = [front_end.frames(round(s * front_end.sample_rate)) for s in lengths.seconds]
    mean = round(float(np.mean(frames))), round(float(np.mean(lengths.labels)))
    counts: dict[str, PresetCount] = {}
    rows = []
    for (preset, stage), config in stages.items():
        batch_seconds = config.batches.batch_seconds
        if preset not in counts:
            shape = ModelConfig(PRESETS[preset], transducer=TRANSDUCERS[preset])
            model = build_float(shape, lengths.tokenizer.vocab_size)
            counts[preset] = _count(model, frames, lengths, batch_seconds, mean)
        audio = config.steps * batch_seconds
        of_a_second = vars(counts[preset].flop_per_audio_second)
        flop = {part: audio * n for part, n in of_a_second.items()}
        exact = sum(flop[part] for part in FLOAT32[stage])
        cost = 1.0 if stage == "float" else native_cost
        for gpu in GPUS:
            at_peak = cost * (exact / gpu.tf32 + (sum(flop.values()) - exact) / gpu.bf16)
            low, high = (at_peak / GPU_COUNT / share / 3600 for share in UTILISATION[preset][::-1])
            rows.append(
                StageCost(
                    preset=preset,
                    stage=stage,
                    gpu=gpu.name,
                    steps=config.steps,
                    audio_hours=audio / 3600,
                    epochs=audio / 3600 / CORPUS_HOURS,
                    exaflop=sum(flop.values()) / 1e18,
                    hours=(low, high),
                    dollars=(low * GPU_COUNT * gpu.price[0], high * GPU_COUNT * gpu.price[1]),
                )
            )
        keras.backend.clear_session()
    return Estimate(counts=counts, rows=tuple(rows))


def _count(model, frames, lengths: TranscriptLengths, batch_seconds: float, mean) -> PresetCount:
    """FLOP of training for a second of audio, and how the profiler's count differs."""
    batch = max(1, round(batch_seconds / GPU_COUNT / lengths.seconds.mean()))
    macs = forward_macs(model, frames, lengths.labels, batch)
    flop = {part: 2 * PASSES * n.sum() / lengths.seconds.sum() for part, n in macs.items()}
    own = float(sum(forward_macs(model, *mean).values()))
    return PresetCount(
        parameters=model.count_params(),
        flop_per_audio_second=TrainingFlop(**{part: float(n) for part, n in flop.items()}),
        frames_and_labels=mean,
        forward_macs=own,
        profiler_deviation=profiled_macs(model, *mean) / own - 1,
    )
